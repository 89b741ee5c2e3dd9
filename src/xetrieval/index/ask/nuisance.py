"""Features that separate documents by what should not matter: their source or language, a repeated line, their length.

For each value of a metadata field, each repeated line, and length, documents with it are compared with all others:
AUROC is the chance that a feature is more active in a document with it than in one without (0.5: no difference), with
a 95 % interval (DeLong et al. 1988). The control is the best feature when the values are permuted among the documents.
These are candidates: the topic of a source separates it as well as its boilerplate does, so a person decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float64
from ...encoders import as_texts
from ...errors import InputError
from ...features import LabelledFeature
from ...records import Record
from ...sae import SparseCodes
from ...text import clip
from .lines import lines_of

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index
    from ..store.reader import Rows

SAMPLE: Final = 20_000  # documents that are compared
FEWEST: Final = 20  # documents with, and without, a value or a line
MOST_VALUES: Final = 50  # a field with more values, such as an author, is only looked at if it is named
MOST: Final = 30  # values that are compared, and lines; the most frequent ones
LEAST: Final = 0.7  # AUROC of a candidate
EACH: Final = 5  # candidates per value
PERMUTED: Final = 5
FIELDS: Final = (
    "SELECT name, value, COUNT(*) FROM fields WHERE kind IN ('text', 'bool') AND name IN ({}) GROUP BY name, value"
)
ROWS: Final = "SELECT row FROM fields WHERE name = ? AND kind IN ('text', 'bool') AND value = ?"


@dataclass(frozen=True)
class Nuisance(LabelledFeature):
    """A feature that separates documents with a property from others."""

    separates: str  # the property: field=value, a line, or length
    auroc: float
    auroc_ci: tuple[float, float]
    auroc_permuted: float  # of the best feature, with the property permuted among the documents
    with_it: float  # fraction of the documents with the property that have the feature
    without_it: float


@dataclass(frozen=True)
class Nuisances(Record):
    """Candidates for removal, and the properties that documents were compared by."""

    documents: int  # how many were compared
    properties: tuple[str, ...]
    candidates: tuple[Nuisance, ...]  # by property, best first


class _Property(NamedTuple):
    name: str
    has: NDArray[np.bool_]  # [n]


def nuisances(index: Index, fields: Sequence[str] | None = None, least: float = LEAST, seed: int = 0) -> Nuisances:
    """Features that separate sources, languages, repeated lines or lengths.

    Args:
        fields: metadata fields to look at; None: all with at most 50 values. Values are texts, true or false.
        least: the smallest AUROC of a candidate.
    Raises:
        InputError: a field that no document has, or a `least` outside 0.5 to 1.
    """
    if isinstance(least, bool) or not isinstance(least, int | float) or not 0.5 <= least <= 1:
        raise InputError("least must be a number from 0.5 to 1, the smallest AUROC of a candidate")
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(index.alive)[:SAMPLE])
    properties = [one for one in _properties(index, rows, _named(index, fields)) if _compares(one.has)]
    found: list[Nuisance] = []
    if len(rows):
        ranked = Ranked.of(index.codes(rows, index.manifest.views[0]), index.manifest.features)
        for one in properties:
            found += _candidates(index, ranked, one, least, rng)
    return Nuisances(len(rows), tuple(one.name for one in properties), tuple(found))


def _candidates(
    index: Index, ranked: Ranked, one: _Property, least: float, rng: np.random.Generator
) -> Iterator[Nuisance]:
    permuted = max(float(ranked.aurocs(rng.permutation(one.has)).max()) for _ in range(PERMUTED))
    aurocs = ranked.aurocs(one.has)
    for j in np.argsort(-aurocs, kind="stable")[:EACH].tolist():
        low, high, active = ranked.interval(j, one.has)
        if aurocs[j] >= least and low > permuted:
            yield Nuisance(
                feature_id=j,
                label=index.explainer.features[j].label,
                separates=one.name,
                auroc=round(float(aurocs[j]), 4),
                auroc_ci=(round(low, 4), round(high, 4)),
                auroc_permuted=round(permuted, 4),
                with_it=round(float(active[one.has].mean()), 4),
                without_it=round(float(active[~one.has].mean()), 4),
            )


class Ranked(NamedTuple):
    """Ranks of the documents by each feature's activation; those without the feature share the lowest."""

    documents: int
    rows: NDArray[np.int64]  # of each activation
    features: NDArray[np.int64]
    ranks: Float64
    lowest: Float64  # [F]

    @classmethod
    def of(cls, codes: SparseCodes, features: int) -> Ranked:
        active = codes.values > 0
        rows, ids, values = np.nonzero(active)[0], codes.features[active].astype(np.int64), codes.values[active]
        without = len(codes) - np.bincount(ids, minlength=features)
        order = np.lexsort((values, ids))
        first = np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=features))])[:-1]
        ranks = np.empty(len(ids))
        ranks[order] = np.arange(len(ids)) - first[ids[order]] + without[ids[order]] + 1
        return cls(len(codes), rows, ids, ranks, (without + 1) / 2)

    def aurocs(self, has: NDArray[np.bool_]) -> Float64:
        """The AUROC of every feature, [F]."""
        inside, count = has[self.rows], int(has.sum())
        ids, features = self.features[inside], len(self.lowest)
        total = np.bincount(ids, self.ranks[inside], features)
        total = np.asarray(total + (count - np.bincount(ids, minlength=features)) * self.lowest, np.float64)
        return np.asarray((total - count * (count + 1) / 2) / (count * (self.documents - count)))

    def interval(self, feature: int, has: NDArray[np.bool_]) -> tuple[float, float, NDArray[np.bool_]]:
        """The 95 % interval of one feature's AUROC, and which documents have the feature."""
        mine = self.features == feature
        ranks = np.full(self.documents, self.lowest[feature])
        ranks[self.rows[mine]] = self.ranks[mine]
        values, places, counts = np.unique(ranks, return_inverse=True, return_counts=True)
        placed = []
        for group in (has, ~has):  # of each document: the fraction of the other group that is below it
            other = counts - np.bincount(places[group], minlength=len(values))
            below = (np.cumsum(other) - other / 2) / other.sum()
            placed.append(below[places[group]])
        error = np.sqrt(sum(part.var(ddof=1) / len(part) for part in placed))
        middle, active = float(placed[0].mean()), np.zeros(self.documents, np.bool_)
        active[self.rows[mine]] = True
        return max(0.0, middle - 1.96 * float(error)), min(1.0, middle + 1.96 * float(error)), active


def _compares(has: NDArray[np.bool_]) -> bool:
    return FEWEST <= int(has.sum()) <= len(has) - FEWEST


def _named(index: Index, fields: Sequence[str] | None) -> list[str] | None:
    if isinstance(fields, str):
        raise InputError("fields: give a list of metadata fields, not one text")
    fields = None if fields is None else as_texts(fields, "field")
    for name in fields or ():
        if name not in index.kinds:
            known = ", ".join(index.fields[:20]) or "none"
            raise InputError(f"no document has the field {clip(repr(name), 60)}; fields: {known}")
    return None if fields is None else list(dict.fromkeys(fields))


def _properties(index: Index, rows: Rows, named: list[str] | None) -> Iterator[_Property]:
    yield from _values(index, rows, named)
    lengths, with_line = np.zeros(len(rows)), defaultdict[str, list[int]](list)
    for place, row in enumerate(rows.tolist()):
        text = index.document(row).text
        lengths[place] = len(text)
        for line in lines_of(text):
            with_line[line].append(place)
    counts = Counter({line: len(places) for line, places in with_line.items()})
    for line, _ in counts.most_common(MOST):
        has = np.zeros(len(rows), np.bool_)
        has[with_line[line]] = True
        yield _Property(f"line “{clip(line, 60)}”", has)
    if len(rows):
        yield _Property("longer than the median", lengths > np.median(lengths))
        yield _Property("shorter than the median", lengths < np.median(lengths))


def _values(index: Index, rows: Rows, named: list[str] | None) -> Iterator[_Property]:
    fields = sorted(index.kinds) if named is None else named
    counts: dict[str, Counter[object]] = {name: Counter() for name in fields}
    for shard in index.shards:
        for name, value, count in shard.texts.select(FIELDS.format(", ".join("?" * len(fields))), tuple(fields)):
            counts[name][value] += count
    common = Counter(
        {
            (name, value): count
            for name, values in counts.items()
            for value, count in values.items()
            if count >= FEWEST and (named is not None or len(values) <= MOST_VALUES)
        }
    )
    for (name, value), _ in common.most_common(MOST):
        parts = [[row + shard.first for (row,) in shard.texts.select(ROWS, (name, value))] for shard in index.shards]
        shown = {0: "false", 1: "true"}.get(value, value) if isinstance(value, int) else value
        yield _Property(f"{name}={clip(str(shown), 60)}", np.isin(rows, np.concatenate(parts)))
