"""The key of a sheet: which pairs were drawn, and where each name comes from. Readers never see it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Final, Literal, NamedTuple

from ...data.lines import Line
from ...errors import InputError
from ...files import digest_of, write_text
from ...labels.worksheet import csv_rows

SHOWN: Final = "shown"  # a name that the explanation of the pair shows
DECOY: Final = "decoy"  # a name of a feature that is active in neither text
NONE: Final = "none"  # the explanation shows no name
LARGEST: Final = 1e6  # shares are parts of a cosine
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
    texts: str = ""  # digest of both texts; "" in keys of earlier releases


def texts_digest(query: str, document: str) -> str:
    """Identifies the two texts of a pair."""
    return digest_of([query, document])[:16]


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
    rows: dict[tuple[str, int], KeyRow] = {}
    for line, row in ((line, _row(line)) for line in csv_rows(path, KeyRow._fields[:-1])):
        if rows.setdefault((row.item, row.number), row) is not row:
            raise line.bad(f"duplicate name {row.number} of {row.item!r}")
    if not rows:
        raise InputError(f"{path}: the key contains no pairs")
    return list(rows.values())


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
    if numbers[0] < 0 or not all(abs(value) < LARGEST for value in numbers[1:]):  # written this way, NaN fails
        raise line.bad("field 'number', 'whole' or 'share' is not a number that a key can have")
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
        record.get("texts") or "",
    )
