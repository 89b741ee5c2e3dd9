"""An explanation as aligned lines with bars. All text in it is data: control characters never reach the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from string import ascii_lowercase
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..explain.breakdown import Breakdown
from ..explain.contrast import Contrast, FeatureContrast
from ..explain.evidence import Evidence, SentenceShare, TextEvidence, words
from ..explain.explanation import DEFAULT_TOP, LEAST_SCORE, Explanation, FeatureShare
from ..explain.fitted import Column, Fitted, Line
from ..views import View

VIEW_LETTERS: Final = {"original": "o", "qa": "q", "summary": "s", "purpose": "p"}


def renderable(explanation: Explanation, top: int | None = DEFAULT_TOP) -> RenderableType:
    """The table of one explanation: the lines add up to the score."""
    shown, others = explanation.top(top)
    letters = view_letters(explanation.per_view)
    rows: list[tuple[str, str, float, str]] = [(printable(f.name), _views(f, letters), f.share, "green") for f in shown]
    if others:
        rows.append((others_line(len(others)), "", sum(f.share for f in others), "green"))
    rows.append(("bias (any document of this kind)", "", explanation.bias, "blue"))
    rows.append(("remainder (not explained)", "", explanation.remainder, "yellow"))
    lines = []
    for name, views, share, colour in rows:
        style = "red" if share < 0 else colour
        lines.append(Line((Text(name), Text(views, "dim"), Text(f"{share:+.4f}", style)), share, style))
    total = Line((Text("score", "bold"), "", Text(f"{explanation.score:+.4f}", "bold")))
    table = Fitted((Column("feature", 46), Column("views"), Column("share")), lines, total, summary(explanation))
    notes = [Text(note, "yellow") for note in (*unread_notes(explanation), *twin_notes(explanation.features))]
    if explanation.steered:
        notes.append(Text(steered_note(explanation.steered), "magenta"))
    if named := [f"{letter} {view}" for view, letter in letters.items() if view not in VIEW_LETTERS]:
        notes.append(Text(f"further views: {', '.join(named)}", "dim"))
    if explanation.evidence is not None:
        return Group(table, *notes, Text(""), evidence_table(explanation, explanation.evidence))
    return Group(table, *notes)


def evidence_table(explanation: Explanation, evidence: Evidence) -> RenderableType:
    """The sentences and words behind each shown feature, under its name."""
    named = {feature.id: feature for feature in explanation.features}
    blocks = [Text("where it comes from", "dim")]
    for item in evidence.features:
        feature = named[item.feature_id]
        sides = [("document", item.document, explanation.document), ("query", item.query, explanation.query)]
        blocks += evidence_block(feature.name, feature.share, sides)
    ends = (
        ("query", explanation.query, evidence.query_read_to),
        ("document", explanation.document, evidence.document_read_to),
    )
    return Group(*blocks, *(Text(note, "yellow") for note in unread_texts(ends)))


def evidence_block(name: str, share: float, sides: list[tuple[str, TextEvidence, str]]) -> list[Any]:
    """One feature's heading, and under it for each (side, evidence, text) what carries it there."""
    table = Table(box=None, pad_edge=False, show_edge=False, show_header=False)
    table.add_column("side", no_wrap=True, min_width=10)
    table.add_column("share", justify="right", no_wrap=True, min_width=7)
    table.add_column("text", overflow="fold")
    for side, found, text in sides:
        for line, (part, what) in enumerate(evidence_lines(found, text)):
            style = "red" if part.startswith("-") else "green" if part.startswith("+") else "dim"
            table.add_row(Text("" if line else f"  {side}", "dim"), Text(part, style), Text(what))
    return [Text.assemble((printable(name), "bold"), f"  {share:+.4f}"), table]


def evidence_lines(found: TextEvidence, text: str, sentences: int = 2, most_words: int = 6) -> list[tuple[str, str]]:
    """(share, text) of the strongest sentences, of all else together, then the strongest words."""
    read = found.strongest
    shown, others = read[:sentences], read[sentences:]
    if found.method == "estimate":
        lines = [(f"{s.share:+.4f}", f"{shorten(s.text)}{_alone(s)}") for s in shown]
        return [*lines, ("", "an estimate: what the share loses without the sentence")]
    outside = {"special tokens": found.special, "prompt": found.prompt, "constant": found.constant + found.rounding}
    outside = {kind: share for kind, share in outside.items() if abs(share) >= 5e-5}
    lines = []
    if len(read) > 1:
        lines = [(f"{s.share:+.4f}", f"{shorten(s.text)}{_alone(s)}") for s in shown]
        more = [f"{len(others)} more sentence{'s' if len(others) > 1 else ''}"] if others else []
        if more or outside:
            rest = sum(s.share for s in others) + sum(outside.values())
            lines.append((f"{rest:+.4f}", ", ".join([*more, *outside])))
    spoken = [word for word in words(found.tokens, text) if any(letter.isalnum() for letter in word[0])]
    strongest = sorted(spoken, key=lambda word: -abs(word[1]))[:most_words]
    entries = [f"{printable(word)} {share:+.3f}" for word, share in strongest]
    if len(read) <= 1:
        entries += [f"({kind} {share:+.3f})" for kind, share in outside.items()]
    return [*lines, ("words", " · ".join(entries))]


def unread_texts(ends: Iterable[tuple[str, str, int | None]]) -> list[str]:
    """What the encoder never read, in its own words; each end is (what, text, where reading ended)."""
    return [
        f"never read in the {what}, from character {end} on: {shorten(text[end:])}"
        for what, text, end in ends
        if end is not None
    ]


def shorten(text: str, most: int = 160) -> str:
    """On one line, printable, cut at its end."""
    line = printable(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _alone(sentence: SentenceShare) -> str:
    return "" if sentence.activation > 0 else "  [by itself it does not activate this feature]"


def plain_text(shown: Explanation | Contrast | Breakdown, top: int | None = DEFAULT_TOP, width: int = 100) -> str:
    """Its table without colour."""

    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(table_of(shown, top))
    return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())


def table_of(shown: Explanation | Contrast | Breakdown, top: int | None = DEFAULT_TOP) -> RenderableType:
    """The table of any of them."""
    from .breakdown_table import breakdown_table
    from .contrast_table import contrast_table

    if isinstance(shown, Explanation):
        return renderable(shown, top)
    return contrast_table(shown, top) if isinstance(shown, Contrast) else breakdown_table(shown, top)


def others_line(count: int) -> str:
    """The name of the line that sums the features not shown."""
    return f"{count} more feature{'s' if count > 1 else ''}"


def unread_notes(explanation: Explanation) -> list[str]:
    """A line for each thing that the encoder could not read."""
    notes = [*explanation.read_query.notes("query"), *explanation.read_document.notes("document")]
    return notes if explanation.chunk is None or len(explanation.chunks) < 2 else [chunk_note(explanation), *notes]


def twin_notes(features: Iterable[FeatureShare | FeatureContrast]) -> list[str]:
    """That features of nearly the same direction stand on one line, where some do."""
    joined = [(feature.id, *feature.twins) for feature in features if feature.twins]
    if not joined:
        return []
    listed = "; ".join(" and ".join(map(str, ids)) for ids in joined[:6]) + ("; ..." if len(joined) > 6 else "")
    return [f"features of nearly the same direction stand on one line, with one share: {listed}"]


def steered_note(steered: Sequence[tuple[int, float]], most: int = 8) -> str:
    """Which features of the documents were scaled; (feature, factor) each."""
    more = f" and {len(steered) - most} more" if len(steered) > most else ""
    return f"steered: {', '.join(f'feature {feature} × {factor:g}' for feature, factor in steered[:most])}{more}"


def chunk_note(explanation: Explanation) -> str:
    """Which part of a long document is explained, and how the others score."""
    chunk = explanation.chunks[explanation.chunk or 0]
    others = sorted((c for c in explanation.chunks if c is not chunk), key=lambda c: -c.score)
    listed = ", ".join(f"{c.start}-{c.end} {c.score:+.4f}" for c in others[:4])
    more = f", {len(others) - 4} more below" if len(others) > 4 else ""
    return (
        f"the document's best chunk of {len(explanation.chunks)}, characters {chunk.start}-{chunk.end}; "
        f"the others: {listed}{more}"
    )


def printable(text: str) -> str:
    """`text` on one line, without control, formatting or direction-changing characters."""
    spaced = "".join(" " if letter in "\t\r\n\v\f" else letter for letter in text)
    kept = "".join(letter for letter in spaced if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return " ".join(kept.split())


def view_letters(views: Iterable[View]) -> dict[View, str]:
    """A letter for each view: the usual ones, then the first of the name that is free."""
    letters: dict[View, str] = {}
    for view in views:
        choices = VIEW_LETTERS.get(view, "") + view + ascii_lowercase
        letters[view] = next((c for c in choices if c.isalpha() and c not in letters.values()), "?")
    return letters


def _views(feature: FeatureShare, letters: Mapping[View, str]) -> str:
    return "".join(letter if feature.view_activations.get(view, 0.0) > 0 else "·" for view, letter in letters.items())


def summary(explanation: Explanation) -> str:
    """How much of the score the features account for, in one line; nothing where a percentage would mean nothing."""
    if explanation.explained is None:
        return "too near zero for a percentage" if abs(explanation.score) < LEAST_SCORE else ""
    alone = explanation.explained_without_bias
    return f"explained {explanation.explained:.0%}" + ("" if alone is None else f", without bias {alone:.0%}")
