"""An explanation as an HTML fragment for notebooks. Every text in it is escaped; no script, no network."""

from __future__ import annotations

import unicodedata
from html import escape
from typing import Final

from ..explain.breakdown import Breakdown
from ..explain.contrast import UNION_NOTE, Contrast
from ..explain.evidence import TextEvidence
from ..explain.explanation import DEFAULT_TOP, Explanation
from .breakdown_table import breakdown_rows
from .contrast_table import contrast_ends, contrast_notes, contrast_rows
from .terminal import others_line, printable, steered_note, summary, twin_notes, unread_notes, unread_texts

STYLE: Final = "font:13px/1.5 system-ui,sans-serif;border-collapse:collapse;color:inherit;background:transparent"
COLOURS: Final = {"feature": "#2e8b57", "negative": "#c0392b", "bias": "#4a7ebb", "remainder": "#c9a227"}


def fragment_of(shown: Explanation | Contrast | Breakdown, top: int | None = DEFAULT_TOP) -> str:
    """The fragment of any of them."""
    if isinstance(shown, Explanation):
        return fragment(shown, top)
    return contrast_fragment(shown, top) if isinstance(shown, Contrast) else breakdown_fragment(shown, top)


def fragment(explanation: Explanation, top: int | None = DEFAULT_TOP, opened: bool = False) -> str:
    """One table: a line and a bar per feature, the bias, the remainder, and the score they add up to.

    Evidence, if there is any, follows it, each feature's in a fold that is `opened` or not.
    """
    shown, others = explanation.top(top)
    lines = [
        (
            printable(f.name),
            ", ".join(v for v in explanation.per_view if f.view_activations.get(v, 0.0) > 0),
            f.share,
            "feature",
        )
        for f in shown
    ]
    if others:
        lines.append((others_line(len(others)), "", sum(f.share for f in others), "feature"))
    lines.append(("bias", "any document of this kind", explanation.bias, "bias"))
    lines.append(("remainder", "not explained", explanation.remainder, "remainder"))
    longest = max(abs(share) for _, _, share, _ in lines) or 1.0
    rows = "".join(_row(name, note, share, abs(share) / longest, kind) for name, note, share, kind in lines)
    said = [steered_note(explanation.steered)] if explanation.steered else []
    notes = "".join(
        f"<p>{escape(note)}</p>" for note in (*said, *unread_notes(explanation), *twin_notes(explanation.features))
    )
    return (
        f'<table style="{STYLE}"><tbody>{rows}<tr><th style="text-align:left">score</th><td></td>'
        f'<td style="text-align:right"><b>{explanation.score:+.4f}</b></td>'
        f"<td>{escape(summary(explanation))}</td></tr></tbody></table>{notes}{_evidence(explanation, opened)}"
    )


def breakdown_fragment(breakdown: Breakdown, top: int | None = DEFAULT_TOP) -> str:
    """One table: a line and a bar per feature or word, and the score they add up to."""
    lines = breakdown_rows(breakdown, top)
    longest = max((abs(share) for _, _, share, _ in lines), default=0.0) or 1.0
    rows = "".join(
        _row(printable(name), by, share, abs(share) / longest, "bias" if kind == "word" else kind)
        for name, by, share, kind in lines
    )
    note = f"<p>{escape(breakdown.note)}</p>" if breakdown.note else ""
    return (
        f'<table style="{STYLE}"><tbody>{rows}<tr><th style="text-align:left">score</th><td></td>'
        f'<td style="text-align:right"><b>{breakdown.score:+.4f}</b></td><td></td></tr></tbody></table>{note}'
    )


def contrast_fragment(contrast: Contrast, top: int | None = DEFAULT_TOP, opened: bool = False) -> str:
    """Two scores side by side: a line per feature, what favours the first in one colour, the second in the other."""
    lines = contrast_rows(contrast, top)
    longest = max(abs(first - second) for _, _, first, second in lines) or 1.0
    rows = "".join(
        f'<tr><td style="text-align:left">{escape(printable(name))}</td><td style="opacity:.6">{where}</td>'
        f"{_number(first)}{_number(second)}{_row_end(first - second, abs(first - second) / longest)}"
        for name, where, first, second in lines
    )
    head = "".join(f"<th>{name}</th>" for name in ("", "in", "first", "second", "difference", ""))
    notes = "".join(
        f"<p>{escape(note)}</p>" for note in (UNION_NOTE, *contrast_notes(contrast), *twin_notes(contrast.features))
    )
    return (
        f'<table style="{STYLE}"><thead><tr>{head}</tr></thead><tbody>{rows}'
        f'<tr><th style="text-align:left">score</th><td></td>{_number(contrast.first_score)}'
        f"{_number(contrast.second_score)}{_number(contrast.difference)}<td></td></tr></tbody></table>{notes}"
        f"{_contrast_evidence(contrast, opened)}"
    )


def _number(value: float) -> str:
    return f'<td style="text-align:right">{value:+.4f}</td>'


def _row_end(share: float, width: float, kind: str = "feature") -> str:
    colour = COLOURS["negative" if share < 0 else kind]
    drawn = f'<div style="background:{colour};height:.8em;width:{12 * width:.2f}em"></div>'
    return f"{_number(share)}<td>{drawn}</td></tr>"


def _evidence(explanation: Explanation, opened: bool) -> str:
    """Each shown feature's texts, marked where its share lies."""
    evidence = explanation.evidence
    if evidence is None:
        return ""
    named = {feature.id: feature for feature in explanation.features}
    folds = [
        _fold(
            named[item.feature_id].name,
            named[item.feature_id].share,
            (("document", item.document, explanation.document), ("query", item.query, explanation.query)),
            opened,
        )
        for item in evidence.features
    ]
    ends = (
        ("query", explanation.query, evidence.query_read_to),
        ("document", explanation.document, evidence.document_read_to),
    )
    return _folds(folds, unread_texts(ends))


def _contrast_evidence(contrast: Contrast, opened: bool) -> str:
    """The same in both documents, side by side."""
    if contrast.evidence is None:
        return ""
    named = {feature.id: feature for feature in contrast.features}
    folds = [
        _fold(
            named[first.feature_id].name,
            named[first.feature_id].difference,
            (("first", first.document, contrast.first), ("second", second.document, contrast.second)),
            opened,
        )
        for first, second in zip(*(found.features for found in contrast.evidence), strict=True)
    ]
    return _folds(folds, unread_texts(contrast_ends(contrast)))


def _folds(folds: list[str], notes: list[str]) -> str:
    said = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f'<div style="font:13px/1.6 system-ui,sans-serif">{"".join(folds)}{said}</div>'


def _fold(name: str, share: float, sides: tuple[tuple[str, TextEvidence, str], ...], opened: bool) -> str:
    texts = "".join(_marked(*side) for side in sides)
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:0 1rem"
    return (
        f"<details{' open' if opened else ''}><summary>{escape(printable(name))} {share:+.4f}</summary>"
        f'<div style="{grid}">{texts}</div></details>'
    )


def _marked(side: str, found: TextEvidence, text: str) -> str:
    """The text, each token (of an estimate: each sentence) behind a colour as deep as its part of the share."""
    exact = found.method == "exact"
    spans = [(t.start, t.end, t.share) for t in (found.tokens if exact else found.sentences)]
    deepest = max((abs(share) for _, _, share in spans), default=0.0) or 1.0
    out, at = [], 0
    for start, end, share in spans:
        if start < at:  # byte-level tokens of one letter have one place
            continue
        rgb = "192,57,43" if share < 0 else "46,139,87"
        out.append(letters(text[at:start]))
        out.append(
            f'<span title="{share:+.4f}" style="background:rgba({rgb},{0.7 * abs(share) / deepest:.2f})">'
            f"{letters(text[start:end])}</span>"
        )
        at = end
    out.append(f'<span style="opacity:.5">{letters(text[at:])}</span>')
    note = "" if exact else " (an estimate: what the share loses without the sentence)"
    return f'<div style="margin:.3em 1em;white-space:pre-wrap"><i>{side}{note}</i> {"".join(out)}</div>'


def letters(text: str) -> str:
    """Escaped, with line breaks and without characters that a page acts on."""
    return escape("".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "\ufffd" for c in text))


def _row(name: str, note: str, share: float, width: float, kind: str) -> str:
    return (
        f'<tr><td style="text-align:left">{escape(name)}</td><td style="opacity:.6">{escape(note)}</td>'
        f"{_row_end(share, width, kind)}"
    )
