"""What a list of hits has in common, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ..index.listing import Listing


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
