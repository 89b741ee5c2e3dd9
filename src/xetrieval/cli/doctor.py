"""xetrieval doctor: is the explainer good enough for this corpus, and which queries fail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import give_json, output_console
from .options import Format, FormatOption
from .progress import progress_bar
from .search import ExplainerCopy, IndexArgument
from .skipped import SkipBad, collector, report_skipped, say_all

if TYPE_CHECKING:
    from ..evaluate.doctor import Checkup


def doctor(
    index: IndexArgument,
    queries: Annotated[
        Path | None, typer.Option("--queries", help="Queries, JSON lines with _id and text (BEIR's queries.jsonl).")
    ] = None,
    qrels: Annotated[
        Path | None,
        typer.Option(
            "--qrels", help="Judgments: qrels of BEIR (query, document, grade) or TREC (query, 0, document, grade)."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same samples.")] = 0,
    format: FormatOption = Format.text,
    explainer: ExplainerCopy = None,
    skip_bad: SkipBad = False,
) -> None:
    """Examine an index: is its explainer good enough, what is wrong, and which queries fail because of what."""
    from ..data.judgments import absent_documents, read_judged_queries, read_queries
    from ..errors import InputError
    from ..evaluate.doctor import checkup
    from ..index import open_index

    if qrels is not None and queries is None:
        raise InputError("--qrels needs --queries: the texts that were judged")
    opened = open_index(index, explainer)
    texts: list[str] | None = None
    judged: list[Any] | None = None
    if queries is not None:
        skipped = collector(skip_bad)
        if qrels is not None:
            found = read_judged_queries(qrels, queries, skipped)
            texts, judged = found.texts, [found.judgments[name] for name in found.ids]
            notes = [*found.notes, *absent_documents(found.judgments, lambda name: opened.find(name) is not None)]
        else:
            read = read_queries(queries, None, skipped)
            texts, notes = read.texts, [read.note] if read.empty else []
        report_skipped(skipped, None)
        say_all(notes)
    with progress_bar() as progress:
        made = checkup(opened, texts, judged, seed, progress)
    if format is Format.json:
        give_json(made.to_dict())
    else:
        _print(made)


def _percent(part: float | None) -> str:
    return "–" if part is None else f"{part:.0%}"


def _print(found: Checkup) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..render.fitted import bar
    from ..text import printable, shorten

    console = output_console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("here", justify="right")
    table.add_column("model card", justify="right")
    table.add_column("")
    rows = (
        ("cosine of reconstructed documents", f"{found.cosine:.3f}", found.cosine_on_card, ""),
        ("variance unexplained (FVU)", "none" if found.fvu is None else f"{found.fvu:.3f}", found.fvu_on_card, ""),
        ("explained", _percent(found.explained), None, f"of the scores without the bias: {found.pairs_are}"),
        ("  by untrained directions", _percent(found.explained_untrained), None, "what features explain by chance"),
        ("  by features with a label", _percent(found.named_fraction), None, ""),
        ("remainder", _percent(found.remainder_fraction), None, "of the scores without the bias, by absolute value"),
        ("shared features", "–" if found.features is None else f"{found.features:.1f}", None, "of a pair, on average"),
        (
            "remainder of whole scores",
            _percent(found.remainder),
            None,
            f"of {found.queries} {found.query_source} and their best three",
        ),
        ("retention", _percent(found.retention), None, found.retention_is),
        ("silent features", f"{found.silent:.0%}", None, "no document has them"),
        ("saturated features", f"{found.saturated:.1%}", None, "a quarter of the documents has them"),
        ("documents not read to their end", f"{found.unread:.0%}", None, ""),
        (
            "documents mostly unknown",
            f"{found.unknown:.0%}",
            None,
            "to the encoder: half of their tokens or more",
        ),
    )
    for name, here, card, note in rows:
        table.add_row(name, here, "" if card is None else f"{card:.3f}", Text(note, "dim"))
    console.print(table)
    console.print()
    console.print(Text(f"{found.verdict}: {found.why}", "bold"))
    for line in found.advice:
        console.print(Text(f"• {line}"))
    if not found.judged:
        return
    console.print(
        Text(f"\n{found.failed} of {found.judged} queries have no relevant document in their best ten", "bold")
    )
    most = max((len(group.queries) for group in found.failing), default=1)
    for group in found.failing[:8]:
        drawn = bar(len(group.queries) / most, 12)
        name = f"{printable(group.name)} (feature {group.feature}, {group.mean_share:+.3f} in the wrong hits)"
        console.print(Text.assemble((f"{len(group.queries):>4}  ", "bold"), (f"{drawn:<12}", "red"), f"  {name}"))
        for text in group.queries[:2]:
            console.print(Text(f"        {shorten(text, 90)}", "dim"))
    if len(found.failing) > 8:
        console.print(Text(f"{len(found.failing) - 8} more features", "dim"))
