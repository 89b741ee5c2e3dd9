"""Sheets that judges read and fill in: pairs of texts with names, as CSV or as a page to click through."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

from ...data.judgments import Queries
from ...data.lines import Line, each
from ...errors import InputError
from ...files import write_text
from ...index import Index
from ...labels.worksheet import csv_rows, safe_cell
from .key import KeyRow, texts_digest

VERDICTS: Final = ("not there", "partly", "fits")  # their numbers are 0, 1 and 2
COLUMNS: Final = ("item", "number", "query", "document", "name", "verdict", "judge")
NEEDED: Final = ("item", "number", "verdict")
READ: Final = 1200  # characters of a text, about as much as a small encoder reads
INSTRUCTIONS: Final = (
    "Judge each name by itself, from these two texts alone.",
    "fits: it plainly describes something that both texts are about or plainly contain",
    "partly: it holds for one text only, or only loosely, or only one part of the name holds",
    "not there: it names something that is not in these texts",
    "Some of the names have nothing to do with the texts.",
)

NameId = tuple[str, int]  # item and number


class SheetItem(NamedTuple):
    """One pair as a judge sees it."""

    item: str
    query: str
    document: str
    names: dict[int, str]  # by number


@dataclass(frozen=True)
class Sheet:
    """A filled sheet."""

    judge: str  # who filled it in
    verdicts: Mapping[NameId, int]  # indices into VERDICTS
    names: Mapping[NameId, str] = field(default_factory=dict)  # names that were judged, if the sheet has them


def sheet_items(key: Sequence[KeyRow], index: Index, queries: Queries) -> list[SheetItem]:
    """The texts and names of a key, in order; pairs without a name are left out.

    Raises:
        InputError: the index or the queries lack one of the key's ids, or have another text for it.
    """
    texts = dict(zip(queries.ids, queries.texts, strict=True))
    items: dict[str, SheetItem] = {}
    for row in key:
        if not row.number:
            continue
        if row.item not in items:
            found = index.find(row.document)
            if found is None or row.query not in texts:
                what = f"document {row.document!r}" if found is None else f"query {row.query!r}"
                raise InputError(
                    f"{row.item}: there is no {what} here; the key belongs to a different corpus or different queries"
                )
            query, document = texts[row.query], index.document(found).text
            if row.texts not in ("", texts_digest(query, document)):
                raise InputError(
                    f"{row.item}: query {row.query!r} or document {row.document!r} has changed since the key "
                    "was made; make a new key"
                )
            items[row.item] = SheetItem(row.item, _cut(query), _cut(document), {})
        items[row.item].names[row.number] = row.name
    return list(items.values())


def check_sheet(path: Path, *, filled: bool) -> None:
    """Refuse a path that a sheet cannot be written to, before any work.

    Raises:
        InputError: it exists (somebody may have filled it in), or is a page although there are verdicts.
    """
    if path.exists():
        raise InputError(f"{path} exists already, perhaps with verdicts in it; choose another path or remove it first")
    if filled and path.suffix.lower() == ".html":
        raise InputError(f"{path}: a page is for people; a judge's verdicts are written as .csv")


def write_sheet(path: Path, items: Sequence[SheetItem], filled: Sheet | None = None) -> None:
    """Write a sheet: a page if `path` ends in .html, else CSV. `filled` are verdicts to write with it.

    Raises:
        InputError: see `check_sheet`.
    """
    check_sheet(path, filled=filled is not None)
    if path.suffix.lower() == ".html":
        shown = {"sides": ("query", "document"), "choices": VERDICTS[::-1], "columns": ",".join((*NEEDED, "judge"))}
        rows = [{**item._asdict(), "rows": item.names} for item in items]
        write_text(path, page("Do these names fit?", INSTRUCTIONS, {**shown, "of": "names", "items": rows}))
        return
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for item in items:
        texts = [item.query, item.document]
        for number, name in item.names.items():
            verdict = None if filled is None else filled.verdicts.get((item.item, number))
            cells = [item.item, str(number), *texts, name, "" if verdict is None else VERDICTS[verdict]]
            writer.writerow([safe_cell(cell) for cell in [*cells, "" if filled is None else filled.judge]])
            texts = ["", ""]  # once per pair
    write_text(path, "\ufeff" + out.getvalue())  # without this mark, spreadsheets guess the wrong encoding


def read_sheet(path: Path) -> Sheet:
    """The verdicts of a filled sheet. It needs the columns item, number and verdict; rows without one are skipped.

    Raises:
        InputError: an unusable row; the message names line and field.
    """
    verdicts: dict[NameId, int] = {}
    names: dict[NameId, str] = {}
    judges: set[str] = set()

    def read(line: Line) -> None:
        item, number = line.record["item"].strip(), line.record["number"].strip()
        verdict = line.record["verdict"].strip().lower().replace("_", " ")
        judges.add((line.record.get("judge") or "").strip())
        if not number.isascii() or not number.isdigit():
            raise line.bad(f"field 'number' is {number[:20]!r}, not a number")
        if verdict and verdict not in VERDICTS:
            raise line.bad(f"field 'verdict' is {verdict[:20]!r}, not one of {', '.join(VERDICTS)}")
        if (item, int(number)) in verdicts:
            raise line.bad(f"duplicate name {number} of {item!r}")
        if verdict:
            verdicts[item, int(number)] = VERDICTS.index(verdict)
            if name := (line.record.get("name") or "").strip():
                names[item, int(number)] = name

    for fault in each(csv_rows(path, NEEDED), read):
        if fault is not None:
            raise fault
    if not verdicts:
        raise InputError(f"{path}: contains no verdicts")
    named = sorted(judges - {""})
    return Sheet(", ".join(named) or f"whoever filled in {path.name}", verdicts, names)


def _cut(text: str) -> str:
    """One line, at most READ characters."""
    line = " ".join(text.split())
    return line if len(line) <= READ else f"{line[:READ].rstrip()} …"


def page(title: str, instructions: Sequence[str], data: Mapping[str, object]) -> str:
    """A page that works offline, keeps answers in the browser and saves them as CSV.

    Args:
        data: `items`, each with an `item`, its `rows` to answer by number, and the texts named in `sides`; the
        `choices` of a row; the `columns` of the CSV; and what the rows are called (`of`).
    """
    template = files(__package__).joinpath("sheet.html").read_text(encoding="utf-8")
    whole = {"title": title, "instructions": instructions, **data}
    return template.replace("{data}", json.dumps(whole, ensure_ascii=False).replace("<", "\\u003c"))
