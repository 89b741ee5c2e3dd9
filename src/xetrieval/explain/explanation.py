"""A score split into bias, terms and remainder, which add up to it in every search mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Final, Literal, NamedTuple

from ..errors import InputError, MismatchError
from ..features import SteeredFeature, feature_name
from ..records import Brief
from ..text import clip
from ..views import View
from .attribution import TOLERANCE
from .evidence import Evidence
from .naming import NameIn
from .printing import PrintsItself
from .reading import NOT_COUNTED, Reading
from .words import PartWords, Words

BIAS: Final = "bias (the same for any document)"
REMAINDER: Final = "remainder (not explained)"
LEAST_SCORE: Final = 0.1  # closer to zero, any part is large compared with the score
LEAST_OWN: Final = 0.05  # fraction of |score - bias|, the part that features can explain
MOST_EXPLAINED: Final = 2.0
LEAST_BOUNDED: Final = 0.2  # from this score up, no share should exceed MOST_SHARE of the score
MOST_SHARE: Final = 1.5
DEFAULT_TOP: Final = 8  # most lines, and most terms with evidence, by default
MOST_WEAK: Final = 2  # lines shown when all terms are weak
LEAST_SHARE: Final = 0.1  # fraction of |score - bias|; labels of smaller shares often name something in neither text
SPREAD: Final = "over half of (score - bias) is in weak features and the remainder: their words show what matches"


class Chunk(NamedTuple):
    """document[start:end] of a long document, and its score."""

    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Term(Brief):
    """One feature or one word, and its share of the score."""

    kind: Literal["feature", "word"]
    feature_id: int | None  # None: a word
    label: str | None  # the feature's label, or the word; None: the feature has no label
    share: float  # signed, in units of the score
    query_activation: float | None = None  # activation in the query, if the score is a cosine
    view_activations: Mapping[View, float] = field(
        default_factory=dict
    )  # 0 where the feature is not active in that view
    detail: Mapping[str, float] = field(
        default_factory=dict
    )  # what the share is made of: a share per view, or activations and weights
    twins: tuple[int, ...] = ()  # other features with nearly the same direction; their shares are included
    confidence: float | None = None  # mean detection score of the label; None: it was never judged
    label_holds: bool | None = None  # whether the label holds for these texts; None: not measured
    name_in: NameIn | None = None  # texts that contain the name; None: not known, or not one of the corpus's terms
    name_here: str | None = None  # the feature's name in this explanation, if that is not its whole label
    corpus_words: tuple[str, ...] = ()  # the feature's strongest words, shown if it has no other name here
    words: Words | None = None  # words of both texts that carry the share; None: the encoder does not show its tokens
    evidence: Evidence | None = None  # the places in both texts that carry the share; see `Explainer.with_evidence`

    @property
    def name(self) -> str:
        """The label, or the feature's number where it has none; the numbers of all twins."""
        return self.label or " / ".join(feature_name(None, j) for j in self.ids)

    @property
    def ids(self) -> tuple[int, ...]:
        """The feature and its twins; empty for a word."""
        return () if self.feature_id is None else (self.feature_id, *self.twins)

    @property
    def shown_label(self) -> str | None:
        """What the feature is called in this explanation; None: it has no name that holds for these texts.

        A name that neither text contains is not shown where a word of both carries the share.
        """
        if self.name_in == "neither" and self.words and self.words.shared:
            return None
        return self.name_here or (None if self.label_holds is False else self.label)


@dataclass(frozen=True)
class OtherTerms:
    """The terms that `top` or `trusted` left out, added up."""

    count: int
    share: float
    label: str  # "3 more features", "weak features (3)"
    words: Words | None = None  # that carry it, if these are all weak features


@dataclass(frozen=True, repr=False)
class Explanation(PrintsItself):
    """score = bias + shares of the terms + remainder. Prints itself in a terminal and in a notebook.

    Raises:
        MismatchError: the parts do not add up to the score within 1e-5.
    """

    score: float  # as in the ranking
    bias: float  # <q, b>: the same for any document
    remainder: float  # what no term accounts for
    terms: tuple[Term, ...]  # sorted by signed share, largest first
    other_terms: OtherTerms | None = None  # set by `top`
    mode: str = "dense"  # what the score is: a search mode of `registry`, or views
    note: str = ""  # how to read it
    query_id: str = ""
    doc_id: str = ""
    query: str = ""
    document: str = ""
    rank: int | None = None  # rank of the document, if the explanation comes from an index
    explainer: str = ""
    encoder: str = ""
    read_query: Reading = NOT_COUNTED  # how much of it the encoder could read
    read_document: Reading = NOT_COUNTED
    query_read_to: int | None = None  # with evidence: characters that the encoder read; None: all of them
    document_read_to: int | None = None
    per_view: Mapping[View, tuple[int, ...]] = field(default_factory=dict)  # feature ids shared with each view
    chunk: int | None = None  # position in `chunks` of the explained one, if the document was scored by chunks
    chunks: tuple[Chunk, ...] = ()
    steered: tuple[SteeredFeature, ...] = ()  # of the profile used for ranking
    part_words: PartWords | None = None  # words of the weak features, the remainder and the score; None: not known

    json_also = ("shared_features", "weak_features", "explained", "explained_without_bias", "notes")

    def __post_init__(self) -> None:
        gap = abs(self.bias + self.remainder + self.total - self.score)
        if not gap <= TOLERANCE * max(1.0, abs(self.score)):  # written this way, NaN fails
            raise MismatchError(f"{self.mode}: the parts add up to the score only within {gap:.1e}")

    def __repr__(self) -> str:
        texts = (("doc_id", self.doc_id), ("query", self.query))
        about = "".join(f", {name}={clip(text, 40)!r}" for name, text in texts if text)
        return f"Explanation(score={self.score:+.4f}, {len(self.terms)} terms{about})"

    @property
    def total(self) -> float:
        """Sum of the shares of all terms."""
        return sum(term.share for term in self.terms) + (self.other_terms.share if self.other_terms else 0.0)

    @property
    def shared_features(self) -> tuple[int, ...]:
        """Ids of the features that query and document share, O(q,d), ascending."""
        return tuple(sorted(set().union(*self.per_view.values())))

    @property
    def weak_features(self) -> tuple[int, ...]:
        """Features combined in one line by default: small shares, or neither a name nor a shared word.

        If all features are weak, the two largest shares have lines, and a note says that they are small.
        """
        strong = self._strong()
        ids = (term.feature_id for i, term in enumerate(self.terms) if i not in strong)
        return tuple(j for j in ids if j is not None)

    def _strong(self) -> list[int]:
        """Positions of the terms with a line of their own."""
        weak = [self.is_weak(term) for term in self.terms]
        return strong_positions(weak, [0.0 if self._is_nameless(term) else term.share for term in self.terms])

    def is_weak(self, term: Term, whole: float | None = None) -> bool:
        """Whether a term has a small share, or neither a name nor a shared word. For `whole`, see `is_small`."""
        return self.is_small(term, whole) or self._is_nameless(term)

    def _is_nameless(self, term: Term) -> bool:
        """Whether neither a name holds for the texts nor a word of both carries the share, if that is known."""
        if term.kind != "feature" or self.mode == "concept" or term.shown_label:
            return False
        return (term.label_holds is False or bool(term.corpus_words)) and not (term.words and term.words.shared)

    def is_small(self, term: Term, whole: float | None = None) -> bool:
        """Whether a feature carries less than a tenth of `whole`, by default |score - bias|.

        Words and features that were chosen by name (mode concept) never count as small.
        """
        if term.kind != "feature" or self.mode == "concept":
            return False
        return abs(term.share) < (self.least_share if whole is None else LEAST_SHARE * whole)

    @property
    def least_share(self) -> float:
        """The smallest |share| with a line of its own."""
        return LEAST_SHARE * abs(self.score - self.bias)

    @property
    def explained(self) -> float | None:
        """(bias + sum of shares) / score, from 0 to 2; None if a percentage would be meaningless.

        That is where the score is within 0.1 of zero, or the parts and the score have opposite signs.
        """
        return _part_of(self.bias + self.total, self.score)

    @property
    def explained_without_bias(self) -> float | None:
        """Sum of shares / score; None as above, or if the bias has the opposite sign or is nearly the whole score."""
        if self.explained is None or self.bias * self.score < 0 or abs(self.score - self.bias) < LEAST_OWN:
            return None
        return _part_of(self.total, self.score)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the reader, one sentence each; most explanations need none."""
        return (
            *([self.note] if self.note else []),
            *([steered_note(self.steered)] if self.steered else []),
            *steered_changes(self.steered),
            *([_chunk_note(self)] if len(self.chunks) > 1 else []),
            *self.read_query.notes("query"),
            *self.read_document.notes("document"),
            *twin_notes(self.terms),
            *large_share_notes(self),
            *small_share_notes([self.is_small(term) for term in self.terms]),
            *self._spread_notes(),
        )

    def _spread_notes(self) -> list[str]:
        """A note that most of the score has no line of its own, if its words are known."""
        lines = sum(self.terms[i].share for i in self._strong())
        if self.part_words is None or not self.part_words.score or lines >= (self.score - self.bias) / 2:
            return []
        return [SPREAD]

    def top(self, count: int | None) -> Explanation:
        """The same explanation with its `count` terms of largest |share|; the others are added up in `other_terms`.

        Raises:
            InputError: a count that is negative or not a whole number.
        """
        return self if count is None else self.only(largest([term.share for term in self.terms], count))

    def trusted(self) -> Explanation:
        """The same explanation without its weak features, at most DEFAULT_TOP terms; the others are added up."""
        strong = self._strong()
        kept = [strong[i] for i in largest([self.terms[i].share for i in strong], DEFAULT_TOP)]
        if len(kept) == len(self.terms):
            return self
        words = None if self.part_words is None else self.part_words.weak_features
        return self.only(kept, weak_label(self, strong, kept), words if len(kept) == len(strong) else None)

    def without_texts(self) -> Explanation:
        """The same explanation without the texts of query and document, for long lists."""
        return replace(self, query="", document="")

    def only(self, positions: Sequence[int], name: str = "", words: Words | None = None) -> Explanation:
        """The same explanation with the terms at these positions; the others are added up in `other_terms`.

        Args:
            name: what the others are called, "3 more features" by default.
            words: that carry them.
        Raises:
            InputError: a position without a term, or positions that are not a list.
        """
        if isinstance(positions, str | bytes) or not isinstance(positions, Iterable):
            raise InputError(f"positions {clip(repr(positions), 40)}: give a list of whole numbers, such as [0, 1]")
        kept = list(positions)
        there = [isinstance(i, Integral) and not isinstance(i, bool) and 0 <= i < len(self.terms) for i in kept]
        if not all(there):
            raise InputError(
                f"there is no term at position {clip(repr(kept[there.index(False)]), 40)}; positions are "
                f"counted from 0, and the number of terms is {len(self.terms)}"
            )
        others = [term for i, term in enumerate(self.terms) if i not in kept]
        before = self.other_terms or OtherTerms(0, 0.0, "")
        count, share = before.count + len(others), before.share + sum(term.share for term in others)
        what = "feature" if all(term.kind == "feature" for term in self.terms) else "term"
        label = name or f"{count} more {what}{'' if count == 1 else 's'}"
        terms = tuple(term for i, term in enumerate(self.terms) if i in kept)
        return replace(self, terms=terms, other_terms=OtherTerms(count, share, label, words))


def largest(values: Sequence[float], count: int) -> list[int]:
    """Positions of the `count` values of largest magnitude, ascending.

    Raises:
        InputError: a count that is negative or not a whole number.
    """
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 0:
        raise InputError(f"cannot show {clip(repr(count), 40)} terms; give a whole number, 0 or more")
    return sorted(sorted(range(len(values)), key=lambda i: -abs(values[i]))[:count])


def strong_positions(weak: Sequence[bool], shares: Sequence[float]) -> list[int]:
    """Positions of the terms with a line of their own: those that are not weak; the largest few if all are."""
    return [i for i, one in enumerate(weak) if not one] or largest(shares, MOST_WEAK)


def twin_label(labels: Sequence[str | None], ids: Sequence[int]) -> str | None:
    """One label for features with nearly the same direction: each label once, and the ids of features without one."""
    if not any(labels):
        return None
    return " / ".join(dict.fromkeys(feature_name(label, j) for label, j in zip(labels, ids, strict=True)))


def _joined(group: Sequence[Term]) -> Term:
    """One term for features with nearly the same direction: their shares added up, the activations of the strongest."""
    first, *others = sorted(group, key=lambda term: -(term.query_activation or 0.0))
    return replace(
        first,
        label=twin_label([term.label for term in (first, *others)], [j for t in (first, *others) for j in t.ids]),
        share=sum(term.share for term in group),
        view_activations={view: max(t.view_activations[view] for t in group) for view in first.view_activations},
        label_holds=False if any(term.label_holds is False for term in group) else first.label_holds,
        twins=tuple(j for term in others for j in term.ids),
    )


def join_twins(terms: Sequence[Term], leaders: Sequence[int]) -> list[Term]:
    """The terms, with those that have the same leader joined into one."""
    groups: dict[int, list[Term]] = {}
    for term, leader in zip(terms, leaders, strict=True):
        groups.setdefault(leader, []).append(term)
    return [_joined(group) if len(group) > 1 else group[0] for group in groups.values()]


def weak_label(explanation: Explanation, strong: Sequence[int], kept: Sequence[int]) -> str:
    """A name for the terms that are not `kept`: "weak features" if all of them are weak."""
    count = len(explanation.terms) - len(kept)
    return f"weak features ({count})" if len(strong) == len(kept) else ""


def twin_notes(terms: Sequence[Term]) -> list[str]:
    """A note that features with nearly the same direction share a line, if any do."""
    groups = [" and ".join(map(str, term.ids)) for term in terms if term.twins]
    if not groups:
        return []
    listed = "; ".join(groups[:6]) + ("; ..." if len(groups) > 6 else "")
    return [f"features with nearly the same direction share one line and one share: {listed}"]


def large_share_notes(explanation: Explanation) -> list[str]:
    """A note that a single share says little, if it is much larger than the score and others cancel it.

    Twins have one share, so this is rare: it happens where directions are nearly linearly dependent, as in an encoder
    whose vectors vary in few dimensions, and where shares of both signs, or the bias, nearly cancel. The note names the
    part of the opposite sign that cancels most.
    """
    largest_term = max(explanation.terms, key=lambda term: abs(term.share), default=None)
    score, share = abs(explanation.score), 0.0 if largest_term is None else largest_term.share
    if explanation.mode != "dense" or score < LEAST_BOUNDED or abs(share) <= MOST_SHARE * score:
        return []
    negative = sum(term.share for term in explanation.terms if term.share * share < 0)
    parts = {"the bias": explanation.bias, "the remainder": explanation.remainder, "shares of the other sign": negative}
    sign = 1 if share > 0 else -1
    name = min(parts, key=lambda name: sign * parts[name])
    return [
        f"a single share is {abs(share) / score:.1f} times the score: {name} ({parts[name]:+.4f}) "
        f"cancel{'' if name.startswith('shares') else 's'} most of it; read them together"
    ]


def small_share_notes(small: Sequence[bool]) -> list[str]:
    """A note that no feature explains much, if all shares are small."""
    return ["each feature carries less than a tenth of (score - bias)"] if small and all(small) else []


def steered_note(steered: Sequence[SteeredFeature], most: int = 8) -> str:
    """Which features of the documents were turned up or down."""
    more = f" and {len(steered) - most} more" if len(steered) > most else ""
    return f"steered: {', '.join(map(str, steered[:most]))}{more}"


def steered_changes(steered: Sequence[SteeredFeature], most: int = 8) -> list[str]:
    """What steering by projection changes in this score: one line in all, with what each feature contributes."""
    changes = [(str(one), one.change) for one in steered if one.change is not None]
    if not changes:
        return []
    parts = [f"{name}: {change:+.4f}" for name, change in sorted(changes, key=lambda one: -abs(one[1]))[:most]]
    whole = sum(change for _, change in changes)
    return [f"steering changes this score by {whole:+.4f} ({'; '.join(parts)})"]


def _chunk_note(explanation: Explanation) -> str:
    chunk = explanation.chunks[explanation.chunk or 0]
    others = sorted((c for c in explanation.chunks if c is not chunk), key=lambda c: -c.score)
    listed = ", ".join(f"{c.start}-{c.end} {c.score:+.4f}" for c in others[:4])
    more = f", {len(others) - 4} more below" if len(others) > 4 else ""
    return (
        f"the document's best chunk of {len(explanation.chunks)}, characters {chunk.start}-{chunk.end}; "
        f"the others: {listed}{more}"
    )


def _part_of(part: float, score: float) -> float | None:
    """`part` / `score`, or None: see `Explanation.explained`."""
    if not abs(score) >= LEAST_SCORE or not 0 <= part / score <= MOST_EXPLAINED:
        return None
    return part / score
