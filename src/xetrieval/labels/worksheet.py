"""A table that a person fills in: one row a feature, with its examples, and an empty column for a label."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Final

from ..errors import InputError, MismatchError
from ..features import Feature
from ..files import write_text
from .examples import Example, FeatureExamples
from .labellers import one_line
from .naming import check_label

COLUMNS: Final = ("feature", "sae", "label", "label_now", "source_now", "documents", "active", "silent")
NEEDED: Final = ("feature", "sae", "label")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
SHOWN: Final = 12


def write_worksheet(path: Path, sae: str, examples: Iterable[FeatureExamples], features: Sequence[Feature]) -> int:
    """Write a CSV for a spreadsheet, UTF-8. A cell that a spreadsheet would run as a formula gets a ' before it.

    Returns:
        the number of rows.
    """
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    for e in examples:
        feature = features[e.feature_id]
        cells = (
            str(e.feature_id),
            sae,
            "",
            feature.label or "",
            feature.source or "",
            str(e.documents),
            _lines(e.shown.active, numbers=True),
            _lines((*e.shown.hard[: SHOWN // 2], *e.shown.random[: SHOWN // 4]), numbers=False),
        )
        writer.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells])
        count += 1
    write_text(path, "﻿" + out.getvalue())  # spreadsheets take a file without the mark for another encoding
    return count


def read_worksheet(
    path: Path, sae: str, features: int, examples: Mapping[int, FeatureExamples] | None = None
) -> dict[int, str]:
    """The labels of a worksheet, by feature; rows without one are left out.

    Args:
        examples: a label must be in their language.
    Raises:
        InputError: a row that cannot be used; the message names line and field, and how many more there are.
        MismatchError: the worksheet is of another autoencoder.
    """
    found: dict[int, str] = {}
    faults: list[str] = []
    for line, row in _rows(path):
        if row["sae"].strip() != sae:
            raise MismatchError(
                f"{path}, line {line}: field 'sae' is {row['sae'].strip()[:40]!r}, the explainer's is {sae}; labels of "
                "another autoencoder are taken over with `xetrieval label transfer`"
            )
        fault = _read(row, features, found, examples)
        if fault is not None:
            faults.append(f"{path}, line {line}: {fault}")
    if faults:
        more = f" (and {len(faults) - 1} more rows that cannot be used)" if len(faults) > 1 else ""
        raise InputError(f"{faults[0]}{more}; nothing was taken over")
    return found


def _read(
    row: Mapping[str, str], features: int, found: dict[int, str], examples: Mapping[int, FeatureExamples] | None
) -> str | None:
    """Add the label of a row, or say what is wrong with it."""
    number = row["feature"].strip()
    if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number) < features):
        return f"field 'feature': there is no feature {number[:20]!r} (0 to {features - 1})"
    if int(number) in found:
        return f"field 'feature': feature {number} stands twice"
    label = row["label"].strip()
    if not label:
        return None
    if label.startswith(FORMULA):
        return f"field 'label': starts with {label[0]!r}, which a spreadsheet runs as a formula"
    texts = [e.shown for e in examples[int(number)].shown.active] if examples and int(number) in examples else []
    named = check_label(label, texts)
    if named.fault is not None:
        return f"field 'label': {named.fault}"
    found[int(number)] = named.label
    return None


def _rows(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start + 1}); save it as CSV UTF-8") from error
    header = content.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)  # spreadsheets write what their country uses
    reader = csv.DictReader(StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path}, line 1: no column {missing[0]!r}; keep the first line as it was exported")
        line = 2
        for row in reader:
            if None in row or any(value is None for value in row.values()):
                raise InputError(f"{path}, line {line}: another number of cells than the first line has")
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def _lines(examples: Sequence[Example], numbers: bool) -> str:
    step = max(1, len(examples) // SHOWN)
    shown = examples[::step][:SHOWN]
    return "\n".join(f"{e.activation:.2f}  {one_line(e.shown)}" if numbers else one_line(e.shown) for e in shown)
