"""A spreadsheet for people to fill in: one row per feature, with its examples and an empty column for a label."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Final

from ..data.lines import Line, each
from ..errors import InputError, MismatchError
from ..features import Feature
from ..files import is_stream, read_text, write_text
from .examples import Example, FeatureExamples, one_line
from .naming import check_label

COLUMNS: Final = ("feature", "sae", "label", "label_now", "source_now", "documents", "active", "silent")
NEEDED: Final = ("feature", "sae", "label")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
TEXTS: Final = 12  # texts per cell


def write_worksheet(path: Path, sae: str, examples: Iterable[FeatureExamples], features: Sequence[Feature]) -> int:
    """Write a CSV file in UTF-8. A ' precedes a cell that a spreadsheet would run as a formula.

    Returns:
        the number of rows.
    Raises:
        InputError: `path` exists: it may be a worksheet that somebody has filled in.
    """
    if path.exists() and not is_stream(path):
        raise InputError(f"{path} exists already, perhaps with labels in it; choose another output or remove it first")
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
            _cell(e.labelling.active, "{0.activation:.2f}  {1}"),
            _cell((*e.labelling.hard[: TEXTS // 2], *e.labelling.random[: TEXTS // 4]), "{1}"),
        )
        writer.writerow([safe_cell(cell) for cell in cells])
        count += 1
    write_text(path, "﻿" + out.getvalue())  # without this mark, spreadsheets guess the wrong encoding
    return count


def read_worksheet(
    path: Path, sae: str, features: int, examples: Mapping[int, FeatureExamples] | None = None
) -> dict[int, str]:
    """The labels of a worksheet, by feature. Rows without a label are skipped.

    Args:
        examples: labels must be in their language.
    Raises:
        InputError: an unusable row; the message names the line and the field, and counts other unusable rows.
        MismatchError: the worksheet belongs to a different autoencoder.
    """
    labels: dict[int, str] = {}

    def read(line: Line) -> None:
        row = {name: line.record[name].strip() for name in NEEDED}
        if row["sae"] != sae:
            raise MismatchError(
                f"{path}, line {line.number}: field 'sae' is {row['sae'][:40]!r}, the explainer's is {sae}; copy "
                "labels of another autoencoder with `xetrieval label transfer`"
            )
        number, label = row["feature"], row["label"]
        if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number) < features):
            raise line.bad(f"field 'feature': there is no feature {number[:20]!r} (0 to {features - 1})")
        feature = int(number)
        if feature in labels:
            raise line.bad(f"field 'feature': duplicate feature {number}")
        if label.startswith(FORMULA):
            raise line.bad(f"field 'label': starts with {label[0]!r}, which a spreadsheet runs as a formula")
        texts = [e.text for e in examples[feature].labelling.active] if examples and feature in examples else []
        checked = check_label(label, texts)
        if label and checked.value is None:
            raise line.bad(f"field 'label': {checked.fault}")
        if checked.value is not None:
            labels[feature] = checked.value

    faults = [row for row in each(csv_rows(path, NEEDED), read) if row is not None]
    if faults:
        more = f" (and {len(faults) - 1} more unusable rows)" if len(faults) > 1 else ""
        raise InputError(f"{faults[0]}{more}; no label was imported")
    return labels


def safe_cell(cell: str) -> str:
    """Put a ' before a cell that a spreadsheet would run as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def csv_rows(path: Path, needed: Sequence[str]) -> Iterator[Line]:
    """The rows of a CSV file that a spreadsheet may have saved, unchanged.

    Raises:
        InputError: one of the `needed` columns is absent, or it is not CSV.
    """
    content = read_text(path)
    header = content.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)  # spreadsheets use their locale's
    reader = csv.DictReader(StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name for name in reader.fieldnames or () if name]
        if twice := next((name for name in columns if columns.count(name) > 1), None):
            raise InputError(f"{path}, line 1: two columns {twice!r}; keep the first line as exported")
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{path}, line 1: no column {missing[0]!r}; keep the first line as exported")
        line = 2
        for row in reader:
            if not any("".join(value or "").strip() for value in row.values()):  # a blank row, saved as commas
                line = reader.line_num + 1
                continue
            if None in row or any(value is None for value in row.values()):
                raise InputError(f"{path}, line {line}: has a different number of cells from the first line")
            yield Line(path, line, row)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def _cell(examples: Sequence[Example], form: str) -> str:
    """Some of the examples, one per line."""
    step = max(1, len(examples) // TEXTS)
    return "\n".join(form.format(e, one_line(e.text)) for e in examples[::step][:TEXTS])
