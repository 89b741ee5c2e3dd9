"""What a list of hits, or a whole corpus, is made of: as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ..index.listing import Listing
    from ..index.report import CorpusReport


def print_listing(console: Console, listed: Listing) -> None:
    """Common features, those that split the hits, and those that bring in what is not wanted."""
    from rich.table import Table
    from rich.text import Text

    from ..explain.terminal import bar, printable

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
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("feature", justify="right")
        table.add_column("name", max_width=38, no_wrap=True, overflow="ellipsis")
        table.add_column("hits", justify="right")
        table.add_column("share", justify="right", no_wrap=True)
        for column in ("good", "bad") if judged else ("spread",):
            table.add_column(column, justify="right")
        table.add_column("")
        values = [row.bad - row.good if judged else row.mean for row in rows]
        longest = max(abs(value) for value in values) or 1.0
        for row, value in zip(rows, values, strict=True):
            figures = (f"{row.good:+.4f}", f"{row.bad:+.4f}") if judged else (f"{row.spread:.4f}",)
            table.add_row(
                str(row.id),
                Text(printable(row.name)),
                f"{row.hits}/{listed.hits}",
                f"{row.mean:+.4f}",
                *figures,
                bar(value / longest, 12),
            )
        console.print(table)


def print_report(console: Console, found: CorpusReport) -> None:
    """Families with counts, then what is amiss."""
    from rich.table import Table
    from rich.text import Text

    from ..explain.terminal import bar, printable

    console.print(Text(f"{found.documents:,} documents; {found.silent:,} features that none of them has\n", "bold"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("about", max_width=44, no_wrap=True, overflow="ellipsis")
    table.add_column("documents", justify="right")
    table.add_column("", min_width=14)
    table.add_column("most of them by", max_width=30, no_wrap=True, overflow="ellipsis")
    longest = max((topic.documents for topic in found.topics), default=1)
    for topic in found.topics:
        drawn = Text(bar(topic.documents / longest, 14), "green")
        table.add_row(
            Text(printable(topic.name)), f"{topic.documents:,}", drawn, Text(printable(topic.features[0][1]), "dim")
        )
    console.print(table)
    if found.boilerplate:
        console.print(Text("\nfeatures that a quarter of the documents has: they tell none apart", "bold"))
        for feature, name, share in found.boilerplate[:10]:
            console.print(f"  {share:>5.0%}  {feature:>5}  {printable(name)}", markup=False, highlight=False)
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
