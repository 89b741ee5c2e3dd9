"""Labels without a language model, made from the uses of features: one or two terms that hold for most uses.

A term *holds* for a text to a degree h: it occurs in the text (by its stem), or the text is close to it in meaning. The
former counts in full unless the text is far from the term in meaning; the latter counts if the text is as close as most
texts that contain the term, and closer than nearly all other texts. A term covers this part of a feature's uses:

    c = sum of w * h(query) * h(hit) / sum of w,   w = EVEN + min(share / (score - bias), MOST_WEIGHT)

shrunk towards r, the part that it covers of all pairs, as if by a few extra uses. A term is worth

    z * (c + 0.1) * log(c / r) * how often it is a noun phrase,

where z is the mean nearness of whichever of the two texts is farther, in standard deviations. No two features have the
same label, or labels of the same word families (bacteria, bacterial; date_time, datetime): if a term is worth more for
another feature, that feature gets it, and this one gets its next-best term or a second term. A feature without a term
that holds well enough gets no label. A label also stores two thresholds: the activation above which it holds for most
uses, and the similarity of label and text above which it is shown.

Nearness is the cosine between the vectors of text and term, from the corpus's own encoder, both centred. Short words
and codes, about which encoders know little, must occur in the text; without an encoder, all terms must.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..sae import SparseAutoencoder
from ..terms import LEAST_TEXTS, Terms, label_terms, terms_of
from .uses import Rows, Uses, uses_of

FEWEST: Final = 4  # a feature with fewer uses gets no label
EVEN: Final = 0.15
MOST_WEIGHT: Final = 0.6
AT_LARGE: Final = 4000  # pairs sampled from all uses to estimate r
DRAWN: Final = 3  # coverage is shrunk as if this many average pairs were added to a feature's uses
FAR: Final = 0.5  # standard deviations; a text that contains a term but is farther away may only mention it
MENTIONED: Final = 0.4  # h of a text that may only mention a term
NEAR: Final = 1.7  # standard deviations; one text in twenty is this near
NEAR_LABEL: Final = 1.5  # standard deviations; a label is shown only if both texts are at least this near
NEAR_TERM: Final = 2.0  # the same for labels from uses, because the texts are also searched for their terms
NEAR_TEXTS: Final = 0.98  # at least one text in fifty counts as near
MEANT: Final = 0.4  # h of a text that is near to a term
CLOSEST: Final = 3.0  # nearness above this is capped
COVERED: Final = 0.12  # a term with a lower c is rejected
NEARNESS: Final = 0.8  # a term with a lower z is rejected
WRITTEN: Final = 0.15  # this fraction of the uses must contain the term in one of the two texts
LARGEST_LIFT: Final = 4.0  # log(c / r) is capped at this
FRAGMENT: Final = 0.6  # the weight of a term that is never a noun phrase
WORDS: Final = 8  # number of terms kept for a feature, as names where its label does not hold
OPTIONS: Final = 12  # how many terms are tried as a feature's label
NEARLY: Final = 0.8  # a term with this fraction of the best term's worth is as good
HALF: Final = 0.5
SECOND: Final = 0.3  # a term with this fraction of the best term's worth can be a second term
FEWEST_ALIKE: Final = 5  # how many initial characters all words of a family share
ALIKE: Final = 0.7  # they must be this fraction of the longer word
NOUN: Final = 0.3  # a second term, or one of `words`, must be a noun phrase at least this often
PHRASE: Final = 0.4  # two terms side by side in this fraction of the texts with both are one phrase
HELD: Final = 0.6  # a label must hold for this fraction of the uses above its threshold


Label: TypeAlias = tuple[int, ...]  # terms


class UseLabel(NamedTuple):
    """A label, and the activation above which it holds; None if no term holds."""

    label: str | None
    threshold: float = 0.0  # for the smaller activation of the two texts
    near_from: float | None = None  # cosine of label and text; None without an encoder
    uses: int = 0
    words: tuple[str, ...] = ()  # the terms that say most about the uses, whether a label holds or not


class Holding(NamedTuple):
    """How well T terms hold for n texts."""

    contains: NDArray[np.bool_]  # [n, T]
    h: Float32  # [n, T]
    z: Float32 | None  # [n, T] nearness; None without an encoder


def labels_from_uses(
    sae: SparseAutoencoder,
    vectors: Float32,
    texts: Sequence[str],
    owner: Rows,
    encode: Callable[[list[str]], Float32] | None = None,
    given: Mapping[int, str] | None = None,
) -> list[UseLabel]:
    """A label for each feature, None if no term holds.

    Args:
        vectors: the vectors of the texts, [n, m].
        owner: for each text, the row of the passage that it comes from (a passage's own row); -1: that passage is not
        among the texts.
        encode: returns the vectors of terms.
        given: existing labels, by id, for which only thresholds are computed. None: none of its terms is known.
    """
    rows = np.arange(len(texts))
    uses = uses_of(sae, vectors, rows, rows[owner == rows], owner)
    terms = terms_of(texts)
    if not terms.stems:
        return [UseLabel(None, uses=int(count)) for count in uses.counts]
    read = None if encode is None else encode(terms.written)
    holding = _holding(terms, vectors, read)
    worth = _worth(uses, terms, holding)
    given = given or {}
    known = {j: _terms_in(label, terms) for j, label in given.items()}
    chosen, thresholds = _choose(worth, terms, lambda j, label: _threshold(uses, j, holding.h, label), known)
    labels = [
        given.get(j) or _written(label, terms, texts, holding.contains) if label else None
        for j, label in enumerate(chosen)
    ]
    near: dict[str, float] = {}
    if encode is not None and read is not None:
        vectors_of = dict(zip(terms.written, read, strict=True))
        near = near_from([label for label in labels if label], vectors, encode, vectors_of, NEAR_TERM)
    words = _words(worth.worth, terms)
    return [
        UseLabel(label, threshold, near.get(label or ""), int(count), some)
        for label, threshold, count, some in zip(labels, thresholds, uses.counts, words, strict=True)
    ]


def _words(worth: Float64, terms: Terms) -> list[tuple[str, ...]]:
    """For each feature, the terms that are worth most, no two of which have words of the same family."""
    families = word_families(terms.stems)
    out = []
    for of_feature in worth:
        kept: dict[int, set[str]] = {}
        best = np.argsort(-of_feature, kind="stable")[: 3 * WORDS]
        best = best[of_feature[best] > 0]
        nouns = best[terms.noun[best] >= NOUN]
        for t in (nouns if len(nouns) else best).tolist():
            own = {families[word] for word in terms.stems[t].split()}
            if len(kept) < WORDS and not any(own & other for other in kept.values()):
                kept[t] = own
        out.append(tuple(terms.written[t] for t in kept))
    return out


def _written(label: Label, terms: Terms, texts: Sequence[str], contains: NDArray[np.bool_]) -> str:
    """Two terms as one phrase if texts often have them side by side (memory leaks); else as a list."""
    words = [terms.written[t] for t in label]
    rows = np.flatnonzero(contains[:, label].all(axis=1)).tolist() if len(words) == 2 else []
    both = [texts[row].lower() for row in rows]
    for phrase in (" ".join(words), " ".join(reversed(words))):
        if sum(phrase.lower() in text for text in both) >= max(LEAST_TEXTS, PHRASE * len(both)):
            return phrase
    return ", ".join(words)


def near_from(
    labels: list[str],
    vectors: Float32,
    encode: Callable[[list[str]], Float32],
    known: Mapping[str, Float32] = MappingProxyType({}),
    deviations: float = NEAR_LABEL,
) -> dict[str, float]:
    """For each label, the cosine above which a text is closer to it than most texts, by so many deviations.

    Args:
        known: vectors of labels, which are not encoded again.
    """
    new = [label for label in labels if label not in known]
    if new:
        known = {**known, **dict(zip(new, encode(new), strict=True))}
    if not labels:
        return {}
    nearness = vectors @ np.stack([known[label] for label in labels]).T
    most = np.quantile(nearness, NEAR_TEXTS, axis=0)  # of few texts none may be that near
    least = np.minimum(nearness.mean(axis=0) + deviations * nearness.std(axis=0), most)
    return dict(zip(labels, least.tolist(), strict=True))


def _holding(terms: Terms, vectors: Float32, read: Float32 | None) -> Holding:
    contains = np.zeros((len(vectors), len(terms.stems)), bool)
    for row, found in enumerate(terms.of_text):
        contains[row, found] = True
    if read is None:
        return Holding(contains, contains.astype(np.float32), None)
    z = _centred(vectors) @ _centred(read).T
    z = (z - z.mean(axis=0)) / np.maximum(z.std(axis=0), 1e-6)
    level = np.array([max(NEAR, float(np.median(z[contains[:, t], t]))) for t in range(z.shape[1])], np.float32)
    level[[_opaque(term) for term in terms.written]] = np.inf
    h = np.where(contains, np.where(z >= FAR, 1.0, MENTIONED), np.where(z >= level, MEANT, 0.0))
    return Holding(contains, h.astype(np.float32), z)


def _centred(vectors: Float32) -> Float32:
    out = vectors - vectors.mean(axis=0)
    return np.asarray(out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6), np.float32)


def _opaque(term: str) -> bool:
    """Whether a term has a short word, a number or an abbreviation."""
    words = term.split()
    return term[0] != "“" and any(
        len(w) <= 3 or any(map(str.isdigit, w)) or sum(map(str.isupper, w)) > 1 for w in words
    )


def _terms_in(label: str, terms: Terms) -> Label:
    """The known terms that a label consists of."""
    place = {stems: t for t, stems in enumerate(terms.stems)}
    return tuple(place[part] for part in label_terms(label) if part in place)


class _Worth(NamedTuple):
    worth: Float64  # [F, T]
    holds: NDArray[np.bool_]  # [F, T] whether a term holds well enough for a label
    adds: NDArray[np.bool_]  # [F, T] whether it holds well enough as a second term


def _worth(uses: Uses, terms: Terms, holding: Holding) -> _Worth:
    features, size = len(uses.of), (len(uses.of), len(terms.stems))
    covered, near, written = np.zeros(size, np.float32), np.ones(size, np.float32), np.zeros(size, np.float32)
    for j in range(features):
        query, hit = uses.pairs[uses.of[j]].T
        if len(query) < FEWEST:
            continue
        w = EVEN + np.minimum(uses.fractions[j], MOST_WEIGHT)
        w = (w / w.sum()).astype(np.float32)
        covered[j] = w @ (holding.h[query] * holding.h[hit])
        written[j] = (holding.contains[query] | holding.contains[hit]).mean(axis=0)
        if holding.z is not None:
            near[j] = w @ np.minimum(np.minimum(holding.z[query], holding.z[hit]), CLOSEST)
    drawn = np.random.default_rng(0).permutation(len(uses.pairs))[:AT_LARGE]
    query, hit = uses.pairs[drawn].T
    at_large = (holding.h[query] * holding.h[hit]).mean(axis=0) if len(drawn) else np.zeros(size, np.float32)
    n = np.array([len(rows) for rows in uses.of])[:, None]
    c = (covered * n + at_large * DRAWN) / (n + DRAWN)
    part = np.minimum(uses.counts / max(1, len(uses.pairs)), 0.5)[:, None]
    elsewhere = np.maximum((at_large - part * c) / (1 - part), 0) + 2 / AT_LARGE
    lift = np.minimum(np.log(np.maximum(c / elsewhere, 1.0)), LARGEST_LIFT) / LARGEST_LIFT
    noun = FRAGMENT + (1 - FRAGMENT) * terms.noun
    adverb = np.array([0.5 if term.endswith("ly") else 1.0 for term in terms.written])
    worth = np.maximum(near, 0) * (c + 0.1) * lift * noun * adverb
    worth[(n < FEWEST)[:, 0]] = 0
    worth[written < WRITTEN] = 0
    return _Worth(
        worth,
        (c >= COVERED) & (near >= NEARNESS) & (worth > 0),
        (c >= COVERED * 2 / 3) & (near >= NEARNESS * 3 / 4) & (worth > 0),
    )


def _choose(
    found: _Worth,
    terms: Terms,
    threshold: Callable[[int, Label], float | None],
    known: Mapping[int, Label],
) -> tuple[list[Label], list[float]]:
    """The terms and the threshold of each feature's label. A term goes to the feature for which it is worth most.

    A candidate without a threshold, or one that nearly repeats another feature's label, is replaced by the next.

    Args:
        known: the labels of features whose labels do not change.
    """
    good = np.where(found.holds, found.worth, 0.0)
    order = np.argsort(-good, axis=1, kind="stable")[:, :OPTIONS]
    best = np.take_along_axis(good, order, axis=1)
    families = word_families(terms.stems)
    taken: set[frozenset[str]] = set()
    labels: list[Label] = [()] * len(good)
    thresholds = [0.0] * len(good)

    def key_of(label: Label) -> frozenset[str]:
        return frozenset(families[word] for t in label for word in terms.stems[t].split())

    for j, label in known.items():
        taken.add(key_of(label))
        if label and (least := threshold(j, label)) is not None:
            labels[j], thresholds[j] = label, least
    for j in np.argsort(-best[:, 0], kind="stable").tolist():
        if j in known:
            continue
        for label in _options(j, order[j], best[j], found, terms, families):
            key = key_of(label)
            if key not in taken and (least := threshold(j, label)) is not None:
                taken.add(key)
                labels[j], thresholds[j] = label, least
                break
    return labels, thresholds


def _options(
    feature: int, order: Rows, best: Float64, found: _Worth, terms: Terms, families: Mapping[str, str]
) -> list[Label]:
    """Possible labels of a feature, best first: one term, one nearly as good, two terms, a poorer one."""
    alone = [int(t) for t, worth in zip(order, best, strict=True) if worth > 0 and worth >= HALF * best[0]]
    nearly = [t for t in alone if found.worth[feature, t] >= NEARLY * best[0]]
    seconds = np.where(found.adds[feature], found.worth[feature], 0.0)
    seconds[terms.noun < NOUN] = 0.0
    some = [int(t) for t in np.argsort(-seconds, kind="stable")[: 2 * OPTIONS] if seconds[t] > 0]

    def two(first: int) -> list[Label]:
        own = {families[word] for word in terms.stems[first].split()}
        return [
            (first, t)
            for t in some
            if seconds[t] >= SECOND * found.worth[feature, first]
            and not own & {families[word] for word in terms.stems[t].split()}
            and not _part(terms.stems[first], terms.stems[t])
        ]

    return [*((t,) for t in nearly), *(two(alone[0]) if alone else ()), *((t,) for t in alone)]


def _part(first: str, second: str) -> bool:
    """Whether one term is the beginning or end of the other, like time and datetime."""
    short, long = sorted((first.replace(" ", ""), second.replace(" ", "")), key=len)
    return long.startswith(short) or long.endswith(short)


def word_families(terms: Iterable[str]) -> dict[str, str]:
    """For each word of some terms, the first word of its family, such as bacteri for bacterial."""
    out: dict[str, str] = {}
    head = ""
    for word in sorted({word for term in terms for word in term.split()}):
        least = max(FEWEST_ALIKE, math.ceil(ALIKE * len(word)))
        if len(word) < FEWEST_ALIKE or not head.startswith(word[:least]):
            head = word
        out[word] = head
    return out


def _threshold(uses: Uses, feature: int, h: Float32, label: Label) -> float | None:
    """The lowest activation above which the label holds for most uses; None if there is none."""
    query, hit = uses.pairs[uses.of[feature]].T
    holds = (h[query][:, label].max(axis=1) > 0) & (h[hit][:, label].max(axis=1) > 0)
    order = np.argsort(-uses.activations[feature], kind="stable")
    part = (np.cumsum(holds[order]) + 1) / (np.arange(len(order)) + 3)
    good = np.flatnonzero(part >= HELD)
    if not len(good):
        return None
    return 0.0 if good[-1] == len(order) - 1 else float(uses.activations[feature][order[good[-1]]])
