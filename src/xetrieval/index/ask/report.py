"""What a corpus is about, read off its index: families of features, features that say nothing, documents found for all.

Counts are exact; what compares documents with each other is measured on a seeded sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...explain import attribute, overlap
from ...sae.projection import FeatureSets
from ..search.nearest import nearest
from .lines import CommonLine, common_lines
from .records import ReportRecord

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index
    from ..store.reader import Rows

BOILERPLATE: Final = 0.25  # of all documents: a feature that so many have tells none from another
TWINS: Final = 0.8  # Jaccard of the documents that two features have
SAMPLE: Final = 20_000  # documents that features are compared on
PROBES: Final = 400  # documents asked for their neighbours
NEIGHBOURS: Final = 10
BLOCK: Final = 1 << 13
FEWEST: Final = 20  # documents that a feature must have to be called anything


class Topic(NamedTuple):
    """A family of features, or a feature where there are none."""

    name: str
    documents: int  # in which it is the strongest, by the activations of its features in the original view
    features: tuple[tuple[int, str, int], ...]  # its most frequent: id, name, documents


class Twins(NamedTuple):
    """Two features that the same documents have."""

    first: int
    first_name: str
    second: int
    second_name: str
    jaccard: float


class Hub(NamedTuple):
    """A document among the nearest of very many others, and what brings it there."""

    id: str
    title: str
    found: int  # times among the nearest ten of a probe
    expected: float  # of a document like any other
    features: tuple[tuple[int, str, float], ...]  # id, name, mean share over those times
    bias: float  # mean
    remainder: float


@dataclass(frozen=True)
class CorpusReport:
    """See the module."""

    documents: int
    topics: tuple[Topic, ...]  # by documents, most first
    boilerplate: tuple[tuple[int, str, float], ...]  # features: id, name, share of the documents
    lines: tuple[CommonLine, ...]  # that stand in more than half of the documents
    twins: tuple[Twins, ...]
    hubs: tuple[Hub, ...]
    probes: int
    silent: int  # features that no document has

    def to_dict(self) -> ReportRecord:
        """As JSON holds it."""
        return {
            "documents": self.documents,
            "topics": [
                {
                    "name": topic.name,
                    "documents": topic.documents,
                    "features": [{"feature_id": j, "name": n, "documents": c} for j, n, c in topic.features],
                }
                for topic in self.topics
            ],
            "boilerplate": [{"feature_id": j, "name": n, "share_of_documents": s} for j, n, s in self.boilerplate],
            "boilerplate_lines": [
                {"line": one.line, "documents": one.documents, "share_of_documents": one.share} for one in self.lines
            ],
            "twins": [
                {
                    "first": twins.first,
                    "first_name": twins.first_name,
                    "second": twins.second,
                    "second_name": twins.second_name,
                    "jaccard": twins.jaccard,
                }
                for twins in self.twins
            ],
            "hubs": [
                {
                    "id": hub.id,
                    "title": hub.title,
                    "found": hub.found,
                    "expected": hub.expected,
                    "features": [{"feature_id": j, "name": n, "share": s} for j, n, s in hub.features],
                    "bias": hub.bias,
                    "remainder": hub.remainder,
                }
                for hub in self.hubs
            ],
            "probes": self.probes,
            "silent_features": self.silent,
        }


def report(index: Index, topics: int = 20, hubs: int = 5, seed: int = 0) -> CorpusReport:
    """Look at a whole index."""
    count = len(index)
    alive = np.setdiff1d(np.arange(index.manifest.rows), index.deleted, assume_unique=True)
    rng = np.random.default_rng(seed)
    frequency = index.frequency
    common = np.flatnonzero(frequency >= max(FEWEST, BOILERPLATE * count))
    boilerplate = tuple(
        (int(j), _name(index, j), float(frequency[j] / count)) for j in common[np.argsort(-frequency[common])]
    )
    sample = np.sort(rng.permutation(alive)[:SAMPLE])
    probes = np.sort(rng.permutation(alive)[:PROBES])
    return CorpusReport(
        count,
        _topics(index, topics),
        boilerplate,
        common_lines(index, seed),
        _twins(index, sample),
        _hubs(index, probes, hubs),
        len(probes),
        int((frequency == 0).sum()),
    )


def _topics(index: Index, most: int) -> tuple[Topic, ...]:
    """Upper families by the documents in which they are strongest; features themselves where there are no families."""
    frequency = index.frequency
    plain = (frequency > 0) & (frequency < max(FEWEST, BOILERPLATE * len(index)))  # the rest is in all families
    names, of_feature = _families(index)
    of_feature = np.where(plain, of_feature, -1)
    counts = np.zeros(len(names), np.int64)
    for shard in index.shards:
        for start in range(0, shard.rows, BLOCK):
            rows = np.arange(start, min(start + BLOCK, shard.rows))
            sizes, ids, values = shard.ragged(index.manifest.views[0], rows)
            family, row = of_feature[ids], np.repeat(np.arange(len(rows)), sizes)
            told = family >= 0
            place = row[told] * len(names) + family[told]
            total = np.bincount(place, values[told], len(rows) * len(names)).reshape(len(rows), len(names))
            gone = np.isin(rows + shard.first, index.deleted, assume_unique=True)
            some = total.any(axis=1) & ~gone
            counts += np.bincount(total[some].argmax(axis=1), minlength=len(names))
    out = []
    for family in np.argsort(-counts, kind="stable")[:most]:
        members = np.flatnonzero(of_feature == family)
        if counts[family]:
            top = members[np.argsort(-frequency[members], kind="stable")][:3]
            of_top = tuple((int(j), _name(index, j), int(frequency[j])) for j in top)
            out.append(Topic(names[family], int(counts[family]), of_top))
    return tuple(out)


def _families(index: Index) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the upper families, and for each feature its family's place; -1: it has none."""
    features = index.explainer.features
    if not index.explainer.families:
        return [_name(index, feature.feature_id) for feature in features], np.arange(len(features))
    upper = [family for family in index.explainer.families if family.parent is None]
    place = {family.id: at for at, family in enumerate(upper)}
    for family in index.explainer.families:
        if family.parent is not None:
            place[family.id] = place.get(family.parent, -1)
    of_feature = [-1 if feature.family is None else place.get(feature.family, -1) for feature in features]
    return [family.name for family in upper], np.array(of_feature, np.int64)


def _twins(index: Index, sample: Rows) -> tuple[Twins, ...]:
    if not len(sample):
        return ()
    codes = index.codes(sample, index.manifest.views[0])
    has = np.zeros((len(sample), index.manifest.features), np.float32)
    np.put_along_axis(has, codes.features, (codes.values > 0).astype(np.float32), axis=1)
    counts = has.sum(axis=0)
    used = np.flatnonzero(counts >= FEWEST)
    both = has[:, used].T @ has[:, used]
    jaccard = both / np.maximum(1, counts[used][:, None] + counts[used][None] - both)
    first, second = np.nonzero(np.triu(jaccard >= TWINS, 1))
    order = np.argsort(-jaccard[first, second], kind="stable")
    return tuple(
        Twins(int(a), _name(index, a), int(b), _name(index, b), round(float(jaccard[i, j]), 3))
        for i, j in zip(first[order], second[order], strict=True)
        for a, b in [(used[i], used[j])]
    )


def _hubs(index: Index, probes: Rows, most: int) -> tuple[Hub, ...]:
    """Documents found far more often than one would be by chance, asked by documents themselves."""
    z = index.vectors(probes)
    near = np.full((len(probes), NEIGHBOURS), -1, np.int64)
    for place, (row, vector) in enumerate(zip(probes.tolist(), z, strict=True)):
        found = nearest(index, vector, NEIGHBOURS + 1).rows
        kept = found[found != row][:NEIGHBOURS]
        near[place, : len(kept)] = kept
    rows, counts = np.unique(near[near >= 0], return_counts=True)
    expected = len(probes) * NEIGHBOURS / max(1, len(index))
    order = np.argsort(-counts, kind="stable")[:most]
    return tuple(
        _hub(index, int(rows[i]), int(counts[i]), expected, z[(near == rows[i]).any(axis=1)])
        for i in order
        if counts[i] >= max(3, 5 * expected)
    )


def _hub(index: Index, row: int, found: int, expected: float, q: Float32) -> Hub:
    """Mean shares over the probes that found it."""
    sae = index.explainer.sae
    same: NDArray[np.int64] = np.full(len(q), row)
    z, views = index.vectors(same), index.all_codes(same)
    shared = overlap(sae.encode(q), views, sae.features)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features))
    shares = np.bincount(shared.features, weights=parts.shares, minlength=sae.features) / len(q)
    top = np.argsort(-shares, kind="stable")[:4]
    document = index.document(row)
    return Hub(
        document.id,
        document.title,
        found,
        round(expected, 2),
        tuple((int(j), _name(index, j), round(float(shares[j]), 4)) for j in top if shares[j] > 0),
        round(float(parts.bias.mean()), 4),
        round(float(parts.remainder.mean()), 4),
    )


def _name(index: Index, feature: Any) -> str:
    return index.explainer.features[int(feature)].name
