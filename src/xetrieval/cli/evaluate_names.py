"""xetrieval evaluate names and verdicts: measure whether the names in explanations fit the texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import NamesConfig, Option
from ..errors import InputError
from .console import print_json, print_message
from .llm_options import LlmOptions, end
from .options import Format, FormatOption
from .output import check_output, print_parts
from .progress import progress_bar
from .search import ExplainerCopy, IndexArgument
from .skipped import print_messages

if TYPE_CHECKING:
    from ..data.judgments import Queries
    from ..encoders import CachedEncoder
    from ..evaluate.names import Reader
    from ..index import Index
    from ..llm import CachedChat


@dataclass(frozen=True)
class SheetOptions:
    """The source of queries, the sheet and its key, and the judge."""

    queries: Annotated[Path, Option("Queries, JSON lines with _id and text.")]
    sheet: Annotated[Path, Option("The sheet to fill in: a .csv, or an .html page to click through.")]
    key: Annotated[Path, Option("The key; if it exists, the sheet is rewritten from it.")]
    judge: Annotated[str | None, Option("Let an encoder fill in the sheet; it must not be the explained one.")] = None
    explainer: ExplainerCopy = None

    def open(
        self, index: Path, llm: LlmOptions, *sources: Path | None
    ) -> tuple[Index, CachedEncoder | CachedChat | None]:
        """The index, and the encoder or language model that fills in the sheet; None: people. Refuses what cannot
        work before any work is done."""
        from ..encoders import CachedEncoder, open_encoder
        from ..evaluate.names import check_sheet
        from ..index import open_index

        if self.judge is not None and llm.llm is not None:
            raise InputError("give --judge ENCODER or --llm MODEL, not both")
        if llm.llm is None:
            llm.refuse("a sheet without --llm" if self.judge is None else "--judge")
        check_output(self.sheet, index, self.queries, *sources, self.key)
        check_output(self.key, index, self.queries, *sources)
        check_sheet(self.sheet, filled=self.judge is not None or llm.llm is not None)
        opened = open_index(index, self.explainer)
        if self.judge is not None:
            return opened, CachedEncoder(open_encoder(self.judge), llm.cache)
        return opened, None if llm.llm is None else llm.open()


@dataclass(frozen=True)
class NamesOptions(SheetOptions):
    """The same, with judgments."""

    qrels: Annotated[Path | None, Option("Judgments, to draw relevant hits and others in equal numbers.")] = None


def names(index: IndexArgument, options: NamesOptions, config: NamesConfig, llm: LlmOptions) -> None:
    """Draw pairs with the names in their explanations, mix in names of inactive features, and write a blind sheet.

    People fill it in, or an encoder (--judge) or a language model (--llm) does; then run `xetrieval evaluate verdicts`.
    Run it again to resume; no answer is paid for twice. Exit code 3: the budget is used up.
    """
    from ..encoders import CachedEncoder
    from ..evaluate.names import (
        EncoderReader,
        LlmReader,
        draw_names,
        judge,
        read_key,
        sheet_items,
        write_key,
        write_sheet,
    )

    opened, filler = options.open(index, llm, options.qrels)
    queries, judgments = _queries(options)
    reader: Reader | None = None
    if isinstance(filler, CachedEncoder):
        reader = EncoderReader(filler, opened.explainer.encoder_identity)
    elif filler is not None:
        reader = LlmReader(filler)
    with progress_bar() as progress:
        known = options.key.exists()
        key = read_key(options.key) if known else draw_names(opened, queries, judgments, config, progress)
        items = sheet_items(key, opened, queries)
        if not known:
            write_key(options.key, key)
        filled, stopped = (None, None) if reader is None else judge(items, reader, progress=progress)
    write_sheet(options.sheet, items, filled)
    count, drawn = sum(len(item.names) for item in items), len({row.item for row in key})
    print_message(f"{count:,} names of {len(items):,} pairs in {options.sheet}; {drawn:,} pairs in {options.key}")
    if not count:
        print_message("nothing to judge: no explanation of these pairs shows a name; does the index have labels?")
    elif filled is None:
        print_message(
            "do not show the key to whoever fills in the sheet; then run: "
            f"xetrieval evaluate verdicts {options.key} SHEET..."
        )
    end(None if isinstance(filler, CachedEncoder) else filler, stopped)


def _queries(options: NamesOptions) -> tuple[Queries, Mapping[str, Mapping[str, int]] | None]:
    """The queries, and their judgments if given, in which case unjudged queries are left out."""
    from ..data.judgments import Queries, read_judged_queries, read_queries
    from .streams import readable

    with readable([options.queries, *([] if options.qrels is None else [options.qrels])]) as (first, *rest):
        if not rest:
            queries = read_queries(first)
            print_messages([queries.note] if queries.empty else [])
            return queries, None
        judged = read_judged_queries(rest[0], first)
    print_messages(judged.notes)
    return Queries(judged.ids, judged.texts, 0), judged.judgments


def verdicts(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="What `evaluate names` wrote with --key.")],
    sheets: Annotated[list[Path], typer.Argument(metavar="SHEET...", help="Filled sheets (CSV), one per judge.")],
    judged_by: Annotated[str | None, Option("Who filled them in, if the sheets do not say.")] = None,
    format: FormatOption = Format.text,
) -> None:
    """Score filled-in sheets: verdicts by line and by share, with intervals; agreement of judges; coverage."""
    from dataclasses import replace

    from ..evaluate.names import read_key, read_sheet, score_names
    from ..evaluate.tables import names_table

    read, rows = [read_sheet(sheet) for sheet in sheets], read_key(key)
    result = score_names(rows, read)
    names = sum(row.number > 0 for row in rows)
    for path, sheet in zip(sheets, read, strict=True):
        if left := names - len(sheet.verdicts):
            print_message(f"{path}: {left:,} of {names:,} names have no verdict; they count as not named")
    if judged_by is not None:
        result = replace(result, judges=(judged_by,))
    if format is Format.json:
        print_json(result.to_dict())
    else:
        print_parts(names_table(result), None)
