"""The rows of a result, in order, with all their wording. Each output draws these rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from string import ascii_lowercase
from typing import Final, NamedTuple

from ..explain.contrast import Contrast
from ..explain.evidence import TextEvidence
from ..explain.explanation import BIAS, LEAST_SCORE, REMAINDER, Explanation, Term
from ..explain.words import PartWords, Words, joined_words
from ..text import printable, shorten
from ..views import View

VIEW_LETTERS: Final = {"original": "o", "qa": "q", "summary": "s", "purpose": "p"}
VIEW_MEANINGS: Final = {
    "original": "its own vector",
    "qa": "predicted question-answer list",
    "summary": "predicted summary",
    "purpose": "predicted purpose",
}
BETWEEN: Final = " ↔ "  # words of the query and of the document
BOTH: Final = f"query{BETWEEN}document"
WORD: Final = "(word): no name of the feature holds here; this word of both texts carries the share"
UNNAMED: Final = "unnamed: no label holds for these texts; these are the corpus's words for the feature"
MARKS: Final = {"query": "(query)", "document": "(document)", "neither": "(neither)"}
MARKED: Final = {
    "query": "(query): the name is a word of the query, not of the document",
    "document": "(document): the name is a word of the document, not of the query",
    "neither": "(neither): the name is a word of neither text",
}
STORED: Final = "≈ words that carry the feature's activation, not this share"
MORE_THAN_ALL: Final = 1.005  # shown as 101 %
NO_WORD: Final = "–"  # no word of this text carries the share


class Colour(NamedTuple):
    """The colour of a row, as named in a terminal and on a page."""

    terminal: str
    page: str


GAIN: Final = Colour("green", "#2e8b57")
LOSS: Final = Colour("red", "#c0392b")
COLOURS: Final = {
    "word": Colour("cyan", "#4a7ebb"),
    "bias": Colour("blue", "#4a7ebb"),
    "remainder": Colour("yellow", "#c9a227"),
}
ESTIMATE: Final = "an estimate: what the share loses without the sentence"


class Side(NamedTuple):
    """One text, and the words in it that one row's share comes from."""

    name: str
    evidence: TextEvidence
    text: str


class Row(NamedTuple):
    """One line: a term, the other terms, the bias, the remainder, or the score."""

    kind: str  # feature, word, others, bias, remainder or score
    name: str
    short: str  # source of the share, for narrow columns
    note: str  # source of the share, in words
    values: tuple[float, ...]  # one for each column of figures; the bar shows the last
    sides: tuple[Side, ...] = ()
    words: str = ""  # words of the texts that carry it
    fewer_words: tuple[str, ...] = ()  # shorter versions, with fewer words, for narrow columns

    @property
    def value(self) -> float:
        """What the bar shows."""
        return self.values[-1]

    @property
    def colour(self) -> Colour:
        """Colour of the bar."""
        return LOSS if self.value < 0 else COLOURS.get(self.kind, GAIN)


class Rows(NamedTuple):
    """A result as lines that add up to the last one."""

    title: str
    columns: tuple[str, ...]  # name, source (empty if it is the same for all rows), then the figures
    words_column: str  # title of the words beside each row; empty if no row has any
    rows: tuple[Row, ...]
    score: Row
    summary: str  # how much of the score is explained
    notes: tuple[str, ...]
    legend: tuple[str, ...]  # meaning of the letters in a narrow table
    marks: tuple[str, ...]  # meaning of the marks of names and words
    words_title: str  # above the words behind each row
    unread: tuple[str, ...]  # texts that the encoder did not read, if words were requested
    texts: tuple[tuple[str, str], ...]  # name, text
    source: str  # where the result comes from


def rows_of(result: Explanation | Contrast, top: int | None = None) -> Rows:
    """The rows of a result, with its `top` terms; None: without its weak features."""
    if not result.other_terms:
        result = result.trusted() if top is None else result.top(top)
    return _contrast(result) if isinstance(result, Contrast) else _explanation(result)


def _explanation(explanation: Explanation) -> Rows:
    letters, cosine = view_letters(explanation.per_view), explanation.mode == "dense"
    parts, column = explanation.part_words or PartWords(), _words_column(explanation)
    rows = [_term(explanation, term, letters) for term in explanation.terms]
    if explanation.other_terms and explanation.other_terms.count:
        others = explanation.other_terms
        rows.append(_sum("others", others.label, others.share, others.words, column))
    if cosine or explanation.bias or explanation.remainder:
        rows.append(Row("bias", BIAS, "", "", (explanation.bias,)))
        rows.append(_sum("remainder", REMAINDER, explanation.remainder, parts.remainder, column))
    texts = (("query", explanation.query), ("document", explanation.document))
    stored = any(term.words.of_activation for term in explanation.terms if term.words)
    where = "by" if not cosine else "views" if len({row.short for row in rows if row.kind == "feature"}) > 1 else ""
    return Rows(
        title=f"Why this document scores {explanation.score:+.4f}{' when steered' if explanation.steered else ''}",
        columns=("feature" if cosine else "term", where, "share"),
        words_column=column,
        rows=tuple(rows),
        score=_sum("score", "score", explanation.score, parts.score, column),
        summary=_summary(explanation) if cosine else "",
        notes=tuple(printable(note) for note in explanation.notes),
        legend=(f"views: {_meanings(letters)}",) if where == "views" else (),
        marks=(*([STORED] if stored else []), *_marks(explanation.terms), *_unnamed(explanation.terms)),
        words_title="where it comes from",
        unread=_unread((*texts[0], explanation.query_read_to), (*texts[1], explanation.document_read_to)),
        texts=texts,
        source=_source(explanation) if cosine else f"ranked by {explanation.mode}",
    )


def _term(explanation: Explanation, term: Term, letters: dict[View, str]) -> Row:
    active = [view for view in letters if term.view_activations.get(view, 0.0) > 0]
    by = " ".join(f"{name} {value:.2f}" for name, value in term.detail.items())
    short = by if term.detail else "".join(letter if view in active else "·" for view, letter in letters.items())
    sides = (
        ()
        if term.evidence is None
        else (
            Side("document", term.evidence.document, explanation.document),
            Side("query", term.evidence.query, explanation.query),
        )
    )
    column = _words_column(explanation)
    words, *fewer = _beside(term.words.query, [term.words.document], column) if term.words else ("",)
    name = f"{_name(term)} {MARKS.get(term.name_in or '', '') if term.shown_label else ''}".rstrip()
    return Row(term.kind, name, short, by or ", ".join(active), (term.share,), sides, words, tuple(fewer))


def _name(term: Term) -> str:
    """A name that holds for the texts, else a word of both, the corpus's words or a number, marked as no name."""
    if term.kind == "word" or term.shown_label:
        return printable(term.shown_label or term.name)
    if word := _word(term):
        return printable(f"{word} (word)")
    if term.corpus_words:
        return printable(f"unnamed: {', '.join(term.corpus_words)}")
    return f"{replace(term, label=None).name} (unnamed)"


def _unnamed(terms: Sequence[Term]) -> tuple[str, ...]:
    """What is shown for features without a name."""
    unnamed = [term for term in terms if term.kind != "word" and not term.shown_label]
    corpus = any(term.corpus_words and not _word(term) for term in unnamed)
    return (*([WORD] if any(map(_word, unnamed)) else []), *([UNNAMED] if corpus else []))


def _word(term: Term) -> str | None:
    """The word of both texts that stands for a feature without a name here; features never named keep their number."""
    return term.words.shared if term.words and (term.label or term.corpus_words) else None


def _marks(terms: Sequence[Term]) -> tuple[str, ...]:
    """What the marks after names mean."""
    return tuple(
        meaning
        for name_in, meaning in MARKED.items()
        if any(term.name_in == name_in and term.shown_label for term in terms)
    )


def _sum(kind: str, name: str, share: float, words: Words | None, column: str) -> Row:
    """A row that is not about one term, with the words that carry it."""
    beside, *fewer = _beside(words.query, [words.document], column) if words and column else [""]
    return Row(kind, name, "", "", (share,), (), beside, tuple(fewer))


def _contrast(contrast: Contrast) -> Rows:
    first, second = contrast.first, contrast.second
    rows = []
    for a, b in contrast.pairs:
        where = ("both" if any(b.view_activations.values()) else "1st") if any(a.view_activations.values()) else "2nd"
        sides = (
            ()
            if a.evidence is None or b.evidence is None
            else (
                Side("first", a.evidence.document, first.document),
                Side("second", b.evidence.document, second.document),
            )
        )
        words, *fewer = _beside_both(a, b)
        name = _name(a if abs(a.share) >= abs(b.share) else b)
        rows.append(Row("feature", name, where, where, _both(a.share, b.share), sides, words, tuple(fewer)))
    if first.other_terms and second.other_terms and first.other_terms.count:
        values = _both(first.other_terms.share, second.other_terms.share)
        rows.append(Row("others", first.other_terms.label, "", "", values))
    rows.append(Row("bias", BIAS, "", "", _both(first.bias, second.bias)))
    rows.append(Row("remainder", REMAINDER, "", "", _both(first.remainder, second.remainder)))
    texts = (("query", first.query), ("first document", first.document), ("second document", second.document))
    ends = (first.query_read_to, first.document_read_to, second.document_read_to)
    where = "above" if contrast.difference >= 0 else "below"
    return Rows(
        title=f"Why the first document scores {abs(contrast.difference):.4f} {where} the second",
        columns=("feature", "in", "first", "second", "difference"),
        words_column=f"{_words_column(first)} 1 / 2" if _words_column(first) else "",
        rows=tuple(rows),
        score=Row("score", "score", "", "", _both(first.score, second.score)),
        summary="",
        notes=tuple(printable(note) for note in contrast.notes),
        legend=(),
        marks=_unnamed([term for pair in contrast.pairs for term in pair]),
        words_title="where the difference comes from",
        unread=_unread(*((name, text, end) for (name, text), end in zip(texts, ends, strict=True))),
        texts=texts,
        source=_source(first),
    )


def _words_column(explanation: Explanation) -> str:
    """The title of the words, with ≈ for a text whose words carry the activation."""
    parts = explanation.part_words
    known = [term.words for term in explanation.terms if term.words is not None]
    known += [parts.score] if parts and parts.score else []
    if not known:
        return ""
    stored = known[0].of_activation
    sides = [f"≈ {role}" if role in stored else role for role in ("query", "document")]
    has_query, has_document = any(words.query for words in known), any(words.document for words in known)
    return BETWEEN.join(sides) if has_query and has_document else f"in the {sides[has_document]}"


def _beside(query: Sequence[str], documents: Sequence[Sequence[str]], column: str) -> list[str]:
    """The words of both texts that carry a row's share: all, two per text, one per text, or one cut short."""
    out = []
    for count, longest in ((None, None), (2, None), (1, None), (1, 12), (1, 8)):
        sides = [[printable(word) for word in side[:count]] for side in (query, *documents)]
        words = [", ".join(w if longest is None else shorten(w, longest) for w in side) or NO_WORD for side in sides]
        shown = [words[0], " / ".join(words[1:])]
        out.append(BETWEEN.join(shown) if BETWEEN in column else shown["document" in column])
    return out


def _beside_both(a: Term, b: Term) -> list[str]:
    if a.words is None or b.words is None:
        return [""]
    larger = a if abs(a.share) >= abs(b.share) else b
    return _beside((larger.words or a.words).query, [a.words.document, b.words.document], BOTH)


def _both(first: float, second: float) -> tuple[float, ...]:
    return first, second, first - second


def _source(explanation: Explanation) -> str:
    return f"explainer {printable(explanation.explainer)}, encoder {printable(explanation.encoder)}"


def _unread(*ends: tuple[str, str, int | None]) -> tuple[str, ...]:
    return tuple(
        f"not read in the {name}, from character {end} on: {shorten(text[end:])}"
        for name, text, end in ends
        if end is not None
    )


def _summary(explanation: Explanation) -> str:
    """How much of the score the features account for; empty if a percentage would be meaningless."""
    if explanation.explained is None:
        return "too close to zero for a percentage" if abs(explanation.score) < LEAST_SCORE else ""
    alone = explanation.explained_without_bias
    known = f"explained {explanation.explained:.0%}"
    if explanation.explained >= MORE_THAN_ALL:
        known += f" (the parts exceed the score by {abs(explanation.remainder):.4f})"
    return known + ("" if alone is None else f", without bias {alone:.0%}")


def _meanings(letters: dict[View, str]) -> str:
    return ", ".join(f"{letter} {VIEW_MEANINGS.get(view, view)}" for view, letter in letters.items())


def view_letters(views: Iterable[View]) -> dict[View, str]:
    """A letter for each view: the usual one, else the first unused letter of the name."""
    letters: dict[View, str] = {}
    for view in views:
        choices = VIEW_LETTERS.get(view, "") + view + ascii_lowercase
        letters[view] = next((c for c in choices if c.isalpha() and c not in letters.values()), "?")
    return letters


def evidence_lines(side: Side, sentences: int = 2, most_words: int = 6) -> list[tuple[str, str]]:
    """(share, text) of the strongest sentences, of all the rest together, then of the strongest words."""
    found = side.evidence
    read = found.strongest
    shown, others = read[:sentences], read[sentences:]
    lines = [(f"{s.share:+.4f}", f"{shorten(s.text)}{_alone(s.activation)}") for s in shown]
    if found.method == "estimate":
        return [*lines, ("", ESTIMATE)]
    outside = {"special tokens": found.special, "prompt": found.prompt, "constant": found.constant + found.rounding}
    outside = {kind: share for kind, share in outside.items() if abs(share) >= 5e-5}
    if len(read) <= 1:
        lines = []
    elif others or outside:
        more = [f"{len(others)} more sentence{'s' if len(others) > 1 else ''}"] if others else []
        rest = sum(s.share for s in others) + sum(outside.values())
        lines.append((f"{rest:+.4f}", ", ".join([*more, *outside])))
    spoken = [word for word in joined_words(found.tokens, side.text) if any(c.isalnum() for c in word[0])]
    strongest = sorted(spoken, key=lambda word: -abs(word[1]))[:most_words]
    entries = [f"{printable(word)} {share:+.3f}" for word, share in strongest]
    if len(read) <= 1:
        entries += [f"({kind} {share:+.3f})" for kind, share in outside.items()]
    return [*lines, ("words", " · ".join(entries))]


def _alone(activation: float) -> str:
    return "" if activation > 0 else "  [on its own it does not activate this feature]"


def with_sides(rows: Sequence[Row]) -> list[Row]:
    """The rows whose words are known."""
    return [row for row in rows if row.sides]
