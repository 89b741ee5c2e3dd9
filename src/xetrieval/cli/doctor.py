"""xetrieval doctor: check whether the explainer is good enough for a corpus, and which queries fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ..configs import Option, Range
from .console import print_json
from .options import Format, FormatOption, SeedOption
from .output import print_parts
from .progress import progress_bar
from .search import ExplainerCopy, IndexArgument
from .shared import check_options
from .skipped import SkipBad, print_messages, report_skipped, skipped_rows


@dataclass(frozen=True)
class DoctorOptions:
    """What an index is examined with, and how the result is printed."""

    queries: Annotated[Path | None, Option("Queries, JSON lines with _id and text (BEIR's queries.jsonl).")] = None
    qrels: Annotated[
        Path | None, Option("Judgments: qrels of BEIR (query, document, grade) or TREC (query, 0, document, grade).")
    ] = None
    precision: Annotated[
        float | None,
        Option("With --qrels: find the score from which hits have this precision. Default: 0.9."),
        Range(0.01, 0.99),
    ] = None
    seed: SeedOption = 0
    format: FormatOption = Format.text
    explainer: ExplainerCopy = None
    skip_bad: SkipBad = False


def doctor(index: IndexArgument, options: DoctorOptions) -> None:
    """Examine an index: whether its explainer is good enough, what is wrong, and which features make queries fail."""
    from ..data.judgments import JudgedQueries, absent_documents, own_note, read_judged_queries, read_queries
    from ..evaluate.checkup_table import checkup_parts
    from ..evaluate.doctor import checkup
    from ..index import open_index
    from .streams import readable

    queries, qrels = options.queries, options.qrels
    check_options("doctor", vars(options))
    opened = open_index(index, options.explainer)
    texts: list[str] | None = None
    judged: list[Any] | None = None
    own: list[str | None] | None = None
    if queries is not None:
        skipped = skipped_rows(skip_bad=options.skip_bad)
        with readable([queries, *([] if qrels is None else [qrels])], skipped) as (first, *rest):
            found = read_judged_queries(rest[0], first, skipped) if rest else read_queries(first, None, skipped)
        if isinstance(found, JudgedQueries):
            texts, judged = found.texts, [found.judgments[name] for name in found.ids]
            notes = [*found.notes, *absent_documents(found.judgments, lambda name: bool(opened.rows_of(name)))]
            own = [name if opened.rows_of(name) else None for name in found.ids]
            mine = [name for name in own if name is not None]
            relevant = sum(found.judgments[name].get(name, 0) > 0 for name in mine)
            notes += [own_note(len(mine), relevant)] if mine else []
        else:
            texts, notes = found.texts, [found.note] if found.empty else []
        report_skipped(skipped, None)
        print_messages(notes)
    with progress_bar() as progress:
        made = checkup(opened, texts, judged, options.seed, progress, own, options.precision)
    if options.format is Format.json:
        print_json(made.to_dict())
    else:
        print_parts(checkup_parts(made), None)
