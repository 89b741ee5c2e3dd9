"""Tables of two encoders' rankings of one query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.text import Text

from ...render.fitted import Column, Fitted, Line
from ...text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .two_encoders import TwoEncoders

LINES: Final = 8  # features with a line of their own
NOT_SHARED: Final = "?"


def compared_parts(found: TwoEncoders, top: int = LINES) -> Iterator[RenderableType]:
    """The best documents of either ranking; then the parts of one document's standardised scores."""
    first, second = found.encoders
    yield Text(f"A: {first}, {found.documents[0]:,} documents")
    yield Text(f"B: {second}, {found.documents[1]:,} documents\n")
    columns = [Column("document", 60), Column("rank A"), Column("rank B"), Column("A"), Column("B")]
    lines = [
        Line((Text(_title(hit.doc_id, hit.title)), *map(str, hit.ranks), *(f"{z:+.2f}" for z in hit.standardised)))
        for hit in found.hits
    ]
    yield Fitted(columns, lines)
    yield Text(
        f"\nA and B: scores in units of each ranking, (score - mean) / spread over the {found.candidates} documents in "
        "either top 100",
        "dim",
    )
    if found.left_out:
        yield Text(f"{found.left_out} of the top documents are left out: not in both indexes with the same text", "dim")
    if found.document is not None:
        yield from _document_parts(found, top)


def _document_parts(found: TwoEncoders, top: int) -> Iterator[RenderableType]:
    document = found.document
    assert document is not None
    yield Text(
        f"\n{_title(document.doc_id, document.title)}: rank {document.ranks[0]:,} and {document.ranks[1]:,}", "bold"
    )
    columns = [Column("feature", 44), Column("A"), Column("B"), Column("B - A")]
    lines = []
    for term in found.terms[:top]:
        name = printable(term.name) + ("" if term.shared else f" {NOT_SHARED}")
        lines.append(_line(name, *term.parts))
    if rest := found.terms[top:]:
        name = f"{len(rest)} other features"
        lines.append(_line(name, *(sum(term.parts[side] for term in rest) for side in (0, 1))))
    lines.append(_line("remainder (not explained)", *found.remainder))
    total = Line(("score, in units of the ranking", *_figures(*document.standardised)))
    yield Fitted(columns, lines, total)
    yield Text(
        f"features of A, carried to B over {found.texts:,} texts; {found.carried} of {found.tested} tested features "
        f"are in both encoders. {NOT_SHARED}: B may not have it",
        "dim",
    )


def _line(name: str, a: float, b: float) -> Line:
    return Line((Text(name), *_figures(a, b)), b - a, "red" if b < a else "green")


def _figures(a: float, b: float) -> tuple[str, str, str]:
    return f"{a:+.2f}", f"{b:+.2f}", f"{b - a:+.2f}"


def _title(doc_id: str, title: str) -> str:
    return printable(doc_id if not title or title == doc_id else f"{doc_id}  {title}")
