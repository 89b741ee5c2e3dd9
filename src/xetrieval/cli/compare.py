"""xetrieval compare: two encoders' rankings of one query, in named parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..configs import Option, Range
from .console import print_json
from .options import Format, FormatOption
from .output import print_parts


@dataclass(frozen=True)
class CompareOptions:
    """How many documents and features to show."""

    hits: Annotated[int, Option("List the best documents of either ranking, to this rank.", "-k"), Range(1, 100)] = 10
    top: Annotated[int, Option("Show this many features, and sum the others.", "-n"), Range(0)] = 8
    format: FormatOption = Format.text


def compare(
    first: Annotated[Path, typer.Argument(metavar="INDEX_A", help="An index.")],
    second: Annotated[
        Path, typer.Argument(metavar="INDEX_B", help="An index of the same documents by another encoder.")
    ],
    query: Annotated[str, typer.Argument(help="The query.")],
    options: CompareOptions,
    doc_id: Annotated[str | None, typer.Argument(metavar="[DOC_ID]", help="A document whose ranks to explain.")] = None,
) -> None:
    """Compare two encoders: how each ranks a query, and which features make a document's ranks differ.

    Each encoder's scores are standardised within its own ranking, and split over the features of INDEX_A, which are
    carried over to the encoder of INDEX_B.
    """
    from ..index import open_index
    from ..index.ask.two_encoders import compare_encoders
    from ..index.ask.two_encoders_table import compared_parts

    found = compare_encoders(open_index(first), open_index(second), query, doc_id, k=options.hits)
    if options.format is Format.json:
        print_json(found.to_dict())
    else:
        print_parts(compared_parts(found, options.top), None)
