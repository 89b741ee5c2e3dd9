"""The key of a sheet: which pairs were drawn, and where each name comes from. Readers never see it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Final, Literal, NamedTuple

from ...data.lines import Line, each
from ...errors import InputError
from ...files import write_text
from ...labels.worksheet import csv_rows

SHOWN: Final = "shown"  # a name that the explanation of the pair shows
DECOY: Final = "decoy"  # a name of a feature that is active in neither text
NONE: Final = "none"  # the explanation shows no name
KINDS: Final = (SHOWN, DECOY, NONE)


class KeyRow(NamedTuple):
    """A name of a pair, or a pair whose explanation shows no name."""

    item: str  # id of the pair in sheets
    number: int  # position of the name in the pair, from 1; 0: no name
    kind: Literal["shown", "decoy", "none"]
    query: str  # id
    document: str  # id
    relevant: bool | None  # None: the query was not judged
    whole: float  # score - bias of the pair
    feature: str  # ids, joined by a space if features share a line
    share: float  # 0 for a decoy
    name: str


def write_key(path: Path, rows: Sequence[KeyRow]) -> None:
    """Write a key as CSV.

    Raises:
        InputError: `path` exists: sheets may have been made with it.
    """
    if path.exists():
        raise InputError(f"{path} exists already: the sheets made with it need it; choose another path")
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(KeyRow._fields)
    for row in rows:
        relevant = "" if row.relevant is None else "yes" if row.relevant else "no"
        writer.writerow(row._replace(relevant=relevant, whole=f"{row.whole:.6f}", share=f"{row.share:.6f}"))  # type: ignore[arg-type]  # as text
    write_text(path, out.getvalue())


def read_key(path: Path) -> list[KeyRow]:
    """The rows of a key.

    Raises:
        InputError: an unusable row; the message names line and field.
    """
    rows = []
    for row in each(csv_rows(path, KeyRow._fields), _row):
        if not isinstance(row, KeyRow):
            raise row
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: the key contains no pairs")
    return rows


def _row(line: Line) -> KeyRow:
    record = line.record
    kind, relevant = record["kind"], {"yes": True, "no": False, "": None}
    if kind not in KINDS:
        raise line.bad(f"field 'kind' is {kind[:20]!r}, not one of {', '.join(KINDS)}")
    if record["relevant"] not in relevant:
        raise line.bad(f"field 'relevant' is {record['relevant'][:20]!r}, not yes, no, or empty")
    try:
        numbers = int(record["number"]), float(record["whole"]), float(record["share"])
    except ValueError as error:
        raise line.bad(f"field 'number', 'whole' or 'share' is not a number ({error})") from error
    ids = record["item"], record["query"], record["document"]
    return KeyRow(
        ids[0],
        numbers[0],
        kind,
        *ids[1:],
        relevant[record["relevant"]],
        numbers[1],
        record["feature"],
        numbers[2],
        record["name"],
    )
