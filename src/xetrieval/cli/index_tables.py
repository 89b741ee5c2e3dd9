"""What a list of hits, or a whole corpus, is made of: as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ..index.ask.overview import Overview
    from ..index.ask.report import CorpusReport


def print_overview(console: Console, found: Overview) -> None:
    """Common features, those that split the hits, and those that bring in the unwanted ones."""
    from rich.text import Text

    from ..render.fitted import Column, Fitted, Line
    from ..text import printable

    parts = [
        (f"what the {found.hits} hits have in common", found.common, False),
        ("what splits them", found.splitting, False),
    ]
    if found.judged:
        parts.append(("what brings in the bad ones", found.misleading, True))
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
            value = row.bad - row.good if judged else row.mean_share
            shared = (str(row.feature_id), f"{row.hits}/{found.hits}", f"{row.mean_share:+.4f}", *figures)
            lines.append(Line((Text(printable(row.name)), *shared), value, "red" if value < 0 or judged else "green"))
        console.print(Fitted(columns, lines, bar=12))


def print_report(console: Console, found: CorpusReport) -> None:
    """Families with counts, then uninformative features, repeated lines, near-duplicates and hubs."""
    from rich.text import Text

    from ..render.fitted import Column, Fitted, Line
    from ..text import printable

    def heading(text: str) -> None:
        console.print(Text(f"\n{text}", "bold"))

    def line(text: str) -> None:
        console.print(f"  {text}", markup=False, highlight=False)

    console.print(
        Text(f"{found.documents:,} documents; {found.dead_features:,} features are in none of them\n", "bold")
    )
    lines = [
        Line(
            (Text(printable(topic.name)), f"{topic.documents:,}", Text(printable(topic.features[0].name), "dim")),
            float(topic.documents),
        )
        for topic in found.topics
    ]
    columns = (Column("about", 44), Column("documents"), Column("most of them by", 30))
    console.print(Fitted(columns, lines, bar=14))
    if found.boilerplate:
        heading("features in a quarter of the documents or more: too common to be informative")
        for feature in found.boilerplate[:10]:
            line(f"{feature.fraction:>5.0%}  {feature.feature_id:>5}  {printable(feature.name)}")
    if found.boilerplate_lines:
        heading("lines in more than half of the documents: boilerplate")
        for one in found.boilerplate_lines[:10]:
            line(f"{one.fraction:>5.0%}  {printable(one.line[:200])}")
    if found.coactive:
        heading("features that the same documents have: near-duplicates")
        for pair in found.coactive[:10]:
            line(f"{pair.jaccard:.2f}  {printable(pair.first.name)} / {printable(pair.second.name)}")
    if found.hubs:
        heading(f"hubs: documents found for very many queries ({found.probes} documents were the queries)")
        for hub in found.hubs:
            found_times = f"  {hub.found:>4} times, {hub.expected:g} expected  "
            console.print(Text.assemble(found_times, (printable(hub.doc_id), "cyan")))
            mean = hub.explanation
            terms = ", ".join(f"{printable(term.name)} {term.share:+.3f}" for term in mean.terms)
            console.print(Text(f"        {terms}, bias {mean.bias:+.3f}, remainder {mean.remainder:+.3f}", "dim"))
