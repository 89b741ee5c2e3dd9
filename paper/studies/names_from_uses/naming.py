"""Names from where features are used, without a model: the phrases that most uses of a feature have in common.

Of a feature's uses (pairs over the range of its shares) a phrase p covers the part

    c(p) = mean of (h(p, query) + h(p, passage)) / 2  +  BOTH * mean of h(p, query) h(p, passage)

with h = 1 where the text has the phrase, and, where the encoder reads phrases, SOFT where the text is as near to the
phrase as few texts of the corpus are. A phrase is worth c'(p) log(c'(p) / r(p)) times how much of a noun phrase it is:
r(p) is the larger of what it covers of pairs at large and, in part, of the uses of the features most often active
beside this one; c' is c drawn towards r by a few uses at large, so that chance in few uses names nothing. A second
phrase is taken where it holds for uses that the first one leaves. No two features get the same name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paper.studies.names_from_uses.phrases import Phrases
from paper.studies.names_from_uses.uses import Uses, over_the_range
from xetrieval.arrays import Float32, Float64

USES: Final = 40  # of a feature, over the range of its shares
APART: Final = 3  # of ten: a name is checked on uses that it was not made from
FEWEST: Final = 4  # uses, below which a feature stays without a name
HELD: Final = 3  # texts of the uses that must have a phrase
BOTH: Final = 0.5
SOFT: Final = 0.7
NEAR: Final = 1.7  # standard deviations above the corpus's mean nearness to a phrase: about a text in twenty
SIBLINGS: Final = 8
SIBLING: Final = 0.7  # of what a phrase covers of a sibling's uses counts as common
DRAWN: Final = 4.0  # uses at large that are added to a feature's own
CANDIDATES: Final = 16
SPECIFIC: Final = 0.8  # a phrase of more words must cover so much of what a part of it covers
SECOND: Final = 0.2  # of the uses, that a second phrase must add
AT_LARGE: Final = 2000  # pairs

Encode = Callable[[list[str]], Float32]  # phrases -> unit rows


@dataclass(frozen=True)
class UseName:
    """The name of a feature, and how far it holds."""

    label: str | None
    phrases: tuple[int, ...] = ()
    uses: int = 0  # that it was made from
    holds: float = 0.0  # of the uses kept apart: a phrase of it is in, or near, both texts
    checked: int = 0  # uses kept apart


class UseTexts(NamedTuple):
    """The texts that stand for queries, then the passages: as phrases and, where the encoder reads phrases, vectors."""

    phrases: Phrases  # of all of them
    queries: int  # how many of them stand for queries
    vectors: Float32 | None = None  # [queries + passages, m]
    encode: Encode | None = None


def names_from_uses(uses: Uses, texts: UseTexts) -> list[UseName]:
    """A name for each feature; none where it is used too seldom, or its uses have no phrase in common."""
    return _Naming(uses, texts).names()


class _Naming:
    def __init__(self, uses: Uses, texts: UseTexts) -> None:
        self.uses, self.texts = uses, texts
        self.features = len(uses.starts) - 1
        self.sets = [frozenset(ids.tolist()) for ids in texts.phrases.of_text]
        drawn = [over_the_range(uses, j, USES) for j in range(self.features)]
        self.apart = [rows[np.arange(len(rows)) % 10 >= 10 - APART] for rows in drawn]
        self.made = [rows[np.arange(len(rows)) % 10 < 10 - APART] for rows in drawn]
        self.large = self._cover(_at_large(uses), 1)
        self.near: dict[int, Float32] = {}  # of a phrase: its vector, where there is one
        self.level: dict[int, float] = {}  # nearness from which a text is near to it

    def names(self) -> list[UseName]:
        covers = {j: self._cover(rows, HELD) for j, rows in enumerate(self.made) if len(rows) >= FEWEST}
        siblings = _siblings(self.uses, list(covers))
        beside = {j: [covers[s] for s in siblings[j]] for j in covers}
        ranked = {j: self._ranked(cover, beside[j], len(self.made[j])) for j, cover in covers.items()}
        if self.texts.encode is not None and self.texts.vectors is not None:
            self._read_phrases({p for found in ranked.values() for _, p in found})
            ranked = {j: self._again(found, beside[j], self.made[j]) for j, found in ranked.items()}
        chosen = self._assigned(ranked)
        return [self._checked(j, chosen.get(j)) for j in range(self.features)]

    def _ends(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.uses.query[rows], self.texts.queries + self.uses.hit[rows]

    def _cover(self, rows: NDArray[np.int64], least: int) -> dict[int, float]:
        """c(p) by the words alone, of every phrase that `least` of the texts hold."""
        both: dict[int, int] = {}
        query, hit = self._ends(rows)
        count = _counted(self.sets[row] for row in np.unique(np.concatenate([query, hit])).tolist())
        each = _counted(self.sets[row] for row in np.concatenate([query, hit]).tolist())
        for q, d in zip(query.tolist(), hit.tolist(), strict=True):
            for p in self.sets[q] & self.sets[d]:
                both[p] = both.get(p, 0) + 1
        n = max(1, len(rows))
        return {p: (each[p] / 2 + BOTH * both.get(p, 0)) / n for p, many in count.items() if many >= least}

    def _worth(self, p: int, covered: float, beside: Sequence[dict[int, float]], uses: int) -> float:
        common = max(self.large.get(p, 0.0), SIBLING * max((other.get(p, 0.0) for other in beside), default=0.0))
        common += 1.0 / AT_LARGE
        covered = (covered * uses + common * DRAWN) / (uses + DRAWN)
        noun = float(self.texts.phrases.noun[p])
        return covered * math.log(covered / common) * noun if covered > common else 0.0

    def _ranked(
        self, cover: dict[int, float], beside: Sequence[dict[int, float]], uses: int
    ) -> list[tuple[float, int]]:
        found = ((self._worth(p, c, beside, uses), p) for p, c in cover.items())
        best = sorted((one for one in found if one[0] > 0), key=lambda one: (-one[0], one[1]))[: 4 * CANDIDATES]
        return self._general(best, cover)[:CANDIDATES]

    def _general(self, found: list[tuple[float, int]], cover: dict[int, float]) -> list[tuple[float, int]]:
        """Without the phrases of which a part covers clearly more: as general as most uses, as specific as all."""
        words = {p: f" {self.texts.phrases.folded[p]} " for _, p in found}

        def too_specific(p: int) -> bool:
            return any(words[o] in words[p] and cover[p] < SPECIFIC * cover[o] for o in words if o != p)

        return [one for one in found if not too_specific(one[1])]

    def _read_phrases(self, phrases: set[int]) -> None:
        assert self.texts.encode is not None
        assert self.texts.vectors is not None
        ids = sorted(phrases)
        if not ids:
            return
        vectors = self.texts.encode([self.texts.phrases.written[p] for p in ids])
        sample = self.texts.vectors[np.random.default_rng(0).permutation(len(self.texts.vectors))[:2048]]
        nearness = vectors @ sample.T
        self.near = dict(zip(ids, vectors, strict=True))
        levels = nearness.mean(axis=1) + NEAR * nearness.std(axis=1)
        self.level = dict(zip(ids, levels.tolist(), strict=True))

    def _again(
        self, found: list[tuple[float, int]], beside: Sequence[dict[int, float]], rows: NDArray[np.int64]
    ) -> list[tuple[float, int]]:
        """Ranked again by what is in the texts or near to them."""
        out = []
        for _, p in found:
            query, hit = (self._holds(p, side) for side in self._ends(rows))
            covered = float((query + hit).mean() / 2 + BOTH * (query * hit).mean())
            out.append((self._worth(p, covered, beside, len(rows)), p))
        return sorted((one for one in out if one[0] > 0), key=lambda one: (-one[0], one[1]))

    def _holds(self, p: int, rows: NDArray[np.int64]) -> Float64:
        """h(p, text) of these texts."""
        has = np.array([p in self.sets[row] for row in rows.tolist()], np.float64)
        if p in self.near and self.texts.vectors is not None:
            has = np.maximum(has, SOFT * (self.texts.vectors[rows] @ self.near[p] > self.level[p]))
        return has

    def _in_both(self, p: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        query, hit = (self._holds(p, side) for side in self._ends(rows))
        return np.asarray((query > 0) & (hit > 0))

    def _assigned(self, ranked: dict[int, list[tuple[float, int]]]) -> dict[int, tuple[int, ...]]:
        """One or two phrases a feature; a name goes to the feature that it is worth most for."""
        taken: set[frozenset[str]] = set()
        out: dict[int, tuple[int, ...]] = {}
        for j in sorted(ranked, key=lambda j: (-ranked[j][0][0] if ranked[j] else 0.0, j)):
            for name in self._options(ranked[j], self.made[j]):
                key = frozenset(word for p in name for word in self.texts.phrases.folded[p].split())
                if key not in taken:
                    taken.add(key)
                    out[j] = name
                    break
        return out

    def _options(self, found: list[tuple[float, int]], rows: NDArray[np.int64]) -> list[tuple[int, ...]]:
        """Names for one feature, best first."""
        if not found:
            return []
        first, others = found[0][1], [p for _, p in found[1:]]
        left = ~self._in_both(first, rows)
        best, most = None, SECOND
        for p in others:
            if self._differ(first, p) and (added := float((left & self._in_both(p, rows)).mean())) > most:
                best, most = p, added
        names: list[tuple[int, ...]] = [(first,)] if best is None else [(first, best), (first,)]
        return names + [(first, p) for p in others if self._differ(first, p)] + [(p,) for p in others]

    def _differ(self, first: int, second: int) -> bool:
        folded = self.texts.phrases.folded
        return not set(folded[first].split()) & set(folded[second].split())

    def _checked(self, j: int, name: tuple[int, ...] | None) -> UseName:
        if name is None:
            return UseName(None, uses=len(self.made[j]))
        holds = np.zeros(len(self.apart[j]), bool)
        for p in name:
            holds |= self._in_both(p, self.apart[j])
        written = ", ".join(self.texts.phrases.written[p] for p in name)
        return UseName(written, name, len(self.made[j]), float(holds.mean()) if len(holds) else 0.0, len(holds))


def _counted(sets: object) -> dict[int, int]:
    out: dict[int, int] = {}
    for one in sets:  # type: ignore[attr-defined]
        for p in one:
            out[p] = out.get(p, 0) + 1
    return out


def _at_large(uses: Uses) -> NDArray[np.int64]:
    """Pairs at large, one use of each."""
    _, first = np.unique(np.stack([uses.query, uses.hit]), axis=1, return_index=True)
    return np.random.default_rng(0).permutation(first)[:AT_LARGE]


def _siblings(uses: Uses, features: Sequence[int]) -> dict[int, list[int]]:
    """The features that are most often used on the same pairs."""
    of_pair: dict[tuple[int, int], list[int]] = {}
    for j in features:
        rows = uses.of(j)
        for pair in zip(uses.query[rows].tolist(), uses.hit[rows].tolist(), strict=True):
            of_pair.setdefault(pair, []).append(j)
    beside: dict[int, dict[int, int]] = {j: {} for j in features}
    for together in of_pair.values():
        for j in together:
            for other in together:
                if other != j:
                    beside[j][other] = beside[j].get(other, 0) + 1
    return {j: sorted(found, key=lambda s: (-found[s], s))[:SIBLINGS] for j, found in beside.items()}
