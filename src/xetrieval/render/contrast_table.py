"""A contrast as aligned lines: what favours the first document to the right, what favours the second to the left."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from ..explain.contrast import UNION_NOTE, Contrast
from ..explain.explanation import DEFAULT_TOP
from ..explain.fitted import Column, Fitted, Line
from .terminal import evidence_block, others_line, printable, twin_notes, unread_texts


def contrast_table(contrast: Contrast, top: int | None = DEFAULT_TOP) -> RenderableType:
    """The table of one contrast: each column adds up to its score."""
    rows = contrast_rows(contrast, top)
    lines = []
    for name, where, first, second in rows:
        difference = first - second
        style = "red" if difference < 0 else "green"
        figures = (f"{first:+.4f}", f"{second:+.4f}", Text(f"{difference:+.4f}", style))
        lines.append(Line((Text(printable(name)), Text(where, "dim"), *figures), difference, style))
    scores = (f"{contrast.first_score:+.4f}", f"{contrast.second_score:+.4f}")
    total = Line((Text("score", "bold"), "", *scores, Text(f"{contrast.difference:+.4f}", "bold")))
    columns = (Column("feature", 40), Column("in"), Column("first"), Column("second"), Column("difference"))
    table = Fitted(columns, lines, total, bar_title="second · first")
    notes = [Text(note, "yellow") for note in (*contrast_notes(contrast), *twin_notes(contrast.features))]
    return Group(table, Text(UNION_NOTE, "dim"), *notes, *_evidence(contrast))


def _evidence(contrast: Contrast) -> list[RenderableType]:
    """What carries each shown feature in either document."""
    if contrast.evidence is None:
        return []
    named = {feature.id: feature for feature in contrast.features}
    blocks: list[RenderableType] = [Text(""), Text("where the difference comes from", "dim")]
    for first, second in zip(*(found.features for found in contrast.evidence), strict=True):
        feature = named[first.feature_id]
        sides = [("first", first.document, contrast.first), ("second", second.document, contrast.second)]
        blocks += evidence_block(feature.name, feature.difference, sides)
    return [*blocks, *(Text(note, "yellow") for note in unread_texts(contrast_ends(contrast)))]


def contrast_ends(contrast: Contrast) -> list[tuple[str, str, int | None]]:
    """Where the encoder stopped reading each text; None where it read it whole, or nobody asked."""
    if contrast.evidence is None:
        return []
    first, second = contrast.evidence
    return [
        ("query", contrast.query, first.query_read_to),
        ("first document", contrast.first, first.document_read_to),
        ("second document", contrast.second, second.document_read_to),
    ]


def contrast_rows(contrast: Contrast, top: int | None) -> list[tuple[str, str, float, float]]:
    """(name, which documents have it, first, second) of the shown features, the others, bias and remainder."""
    shown, others = contrast.top(top)
    rows = [
        (f.name, _where(any(f.first_views.values()), any(f.second_views.values())), f.first, f.second) for f in shown
    ]
    if others:
        rows.append((others_line(len(others)), "", sum(f.first for f in others), sum(f.second for f in others)))
    rows.append(("bias (the query's alone)", "", contrast.bias, contrast.bias))
    rows.append(("remainder (not explained)", "", contrast.first_remainder, contrast.second_remainder))
    return rows


def contrast_notes(contrast: Contrast) -> list[str]:
    """What would make the documents change places, and a line for each thing that the encoder could not read."""
    read = (
        ("query", contrast.read_query),
        ("first document", contrast.read_first),
        ("second document", contrast.read_second),
    )
    changes = [] if contrast.counterfactual is None else contrast.counterfactual.sentences()
    return [
        *(printable(change) for change in changes),
        *(note for what, reading in read for note in reading.notes(what)),
    ]


def _where(first: bool, second: bool) -> str:
    return "both" if first and second else "1st" if first else "2nd"
