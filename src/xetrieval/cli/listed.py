"""What a list of hits, or a whole corpus, is made of: as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ..index.ask.listing import Listing
    from ..index.ask.report import CorpusReport


def print_listing(console: Console, listed: Listing) -> None:
    """Common features, those that split the hits, and those that bring in what is not wanted."""
    from rich.text import Text

    from ..explain.fitted import Column, Fitted, Line
    from ..render.terminal import printable

    parts = [
        (f"what the {listed.hits} hits have in common", listed.common, False),
        ("what splits them", listed.splitting, False),
    ]
    if listed.judged:
        parts.append(("what brings in the bad ones", listed.misleading, True))
    for title, rows, judged in parts:
        console.print(Text(f"\n{title}", "bold"))
        if not rows:
            console.print(Text("nothing", "dim"))
            continue
        columns = [Column("name", 38), Column("feature"), Column("hits"), Column("share")]
        columns += [Column(name) for name in (("good", "bad") if judged else ("spread",))]
        lines = []
        for row in rows:
            figures = (f"{row.good:+.4f}", f"{row.bad:+.4f}") if judged else (f"{row.spread:.4f}",)
            value = row.bad - row.good if judged else row.mean
            found = (str(row.id), f"{row.hits}/{listed.hits}", f"{row.mean:+.4f}", *figures)
            lines.append(Line((Text(printable(row.name)), *found), value, "red" if value < 0 or judged else "green"))
        console.print(Fitted(columns, lines, bar=12))


def print_report(console: Console, found: CorpusReport) -> None:
    """Families with counts, then what is amiss."""
    from rich.text import Text

    from ..explain.fitted import Column, Fitted, Line
    from ..render.terminal import printable

    console.print(Text(f"{found.documents:,} documents; {found.silent:,} features that none of them has\n", "bold"))
    lines = [
        Line(
            (Text(printable(topic.name)), f"{topic.documents:,}", Text(printable(topic.features[0][1]), "dim")),
            float(topic.documents),
        )
        for topic in found.topics
    ]
    columns = (Column("about", 44), Column("documents"), Column("most of them by", 30))
    console.print(Fitted(columns, lines, bar=14))
    if found.boilerplate:
        console.print(Text("\nfeatures that a quarter of the documents has: they tell none apart", "bold"))
        for feature, name, share in found.boilerplate[:10]:
            console.print(f"  {share:>5.0%}  {feature:>5}  {printable(name)}", markup=False, highlight=False)
    if found.lines:
        console.print(Text("\nlines that stand in more than half of the documents: boilerplate", "bold"))
        for one in found.lines[:10]:
            line = f"  {one.share:>5.0%}  {printable(one.line[:200])}"
            console.print(line, markup=False, highlight=False)
    if found.twins:
        console.print(Text("\nfeatures that the same documents have: near-duplicates", "bold"))
        for twins in found.twins[:10]:
            line = f"  {twins.jaccard:.2f}  {printable(twins.first_name)} / {printable(twins.second_name)}"
            console.print(line, markup=False, highlight=False)
    if found.hubs:
        console.print(Text(f"\ndocuments that turn up for everything ({found.probes} documents asked)", "bold"))
        for hub in found.hubs:
            console.print(
                Text.assemble(f"  {hub.found:>4} times, {hub.expected:g} expected  ", (printable(hub.id), "cyan"))
            )
            why = ", ".join(f"{printable(name)} {share:+.3f}" for _, name, share in hub.features)
            console.print(Text(f"        {why}, bias {hub.bias:+.3f}, remainder {hub.remainder:+.3f}", "dim"))
