"""What a corpus is about, from its index: families of features, uninformative features, hub documents.

Counts are exact; comparisons between documents are measured on a seeded sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...explain import Explanation, Term, attribute_shared
from ...records import Record
from ..search.nearest import nearest
from ..store.texts import ReadTotals
from .catalogue import FeatureRow, feature_row
from .lines import CommonLine, common_lines

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index
    from ..store.reader import Rows

BOILERPLATE: Final = 0.25  # a feature active on more than this fraction of the documents is uninformative
OVERLAP: Final = 0.8  # Jaccard index of two features' documents
SAMPLE: Final = 20_000  # documents on which features are compared
PROBES: Final = 400  # documents whose neighbours are searched for
NEIGHBOURS: Final = 10
BLOCK: Final = 1 << 13
HUB_TERMS: Final = 4
FEWEST: Final = 20  # a feature with fewer documents is not judged


class Topic(NamedTuple):
    """A family of features, or a feature if there are no families."""

    name: str
    documents: int  # documents in which it is the strongest, by activations in the original view
    features: tuple[FeatureRow, ...]  # its most frequent features


class CoactivePair(NamedTuple):
    """Two features that are active on nearly the same documents."""

    first: FeatureRow
    second: FeatureRow
    jaccard: float


class Hub(NamedTuple):
    """A document that is among the nearest neighbours of very many others, and why."""

    doc_id: str
    title: str
    found: int  # how often it is among the ten nearest of a probe
    expected: float  # how often an average document is found
    explanation: Explanation  # the mean explanation over those probes, with its largest terms


@dataclass(frozen=True)
class CorpusReport(Record):
    """What the documents of an index are about, and problems with them."""

    documents: int
    topics: tuple[Topic, ...]  # sorted by number of documents, largest first
    boilerplate: tuple[FeatureRow, ...]  # features active on at least a quarter of the documents
    boilerplate_lines: tuple[CommonLine, ...]  # lines of more than half of the documents
    coactive: tuple[CoactivePair, ...]
    hubs: tuple[Hub, ...]
    probes: int  # documents whose neighbours were searched for
    dead_features: int  # features that no document has
    read: ReadTotals | None  # how much text the encoder read; None: not recorded when the index was built


def report(index: Index, topics: int = 20, hubs: int = 5, seed: int = 0) -> CorpusReport:
    """Make the report on an index."""
    count = len(index)
    alive = np.setdiff1d(np.arange(index.manifest.rows), index.deleted, assume_unique=True)
    rng = np.random.default_rng(seed)
    frequency = index.frequency
    common = np.flatnonzero(frequency >= max(FEWEST, BOILERPLATE * count))
    boilerplate = tuple(feature_row(index, j) for j in common[np.argsort(-frequency[common])].tolist())
    sample = np.sort(rng.permutation(alive)[:SAMPLE])
    probes = np.sort(rng.permutation(alive)[:PROBES])
    return CorpusReport(
        count,
        _topics(index, topics),
        boilerplate,
        common_lines(index, seed),
        _coactive(index, sample),
        _hubs(index, probes, hubs),
        len(probes),
        int((frequency == 0).sum()),
        index.read_totals(),
    )


def _topics(index: Index, most: int) -> tuple[Topic, ...]:
    """Upper families by the number of documents in which they are strongest; features if there are no families."""
    frequency = index.frequency
    plain = (frequency > 0) & (frequency < max(FEWEST, BOILERPLATE * len(index)))  # the others are in every family
    names, of_feature = _families(index)
    of_feature = np.where(plain, of_feature, -1)
    counts = np.zeros(len(names), np.int64)
    for shard in index.shards:
        for start in range(0, shard.rows, BLOCK):
            rows = np.arange(start, min(start + BLOCK, shard.rows))
            sizes, ids, values = shard.ragged(index.manifest.views[0], rows)
            family, row = of_feature[ids], np.repeat(np.arange(len(rows)), sizes)
            known = family >= 0
            place = row[known] * len(names) + family[known]
            total = np.bincount(place, values[known], len(rows) * len(names)).reshape(len(rows), len(names))
            gone = np.isin(rows + shard.first, index.deleted, assume_unique=True)
            some = total.any(axis=1) & ~gone
            counts += np.bincount(total[some].argmax(axis=1), minlength=len(names))
    out = []
    for family in np.argsort(-counts, kind="stable")[:most]:
        members = np.flatnonzero(of_feature == family)
        if counts[family]:
            top = members[np.argsort(-frequency[members], kind="stable")][:3]
            out.append(Topic(names[family], int(counts[family]), tuple(feature_row(index, j) for j in top.tolist())))
    return tuple(out)


def _families(index: Index) -> tuple[list[str], NDArray[np.int64]]:
    """Names of the upper families, and for each feature the position of its family; -1: none."""
    features = index.explainer.features
    if not index.explainer.families:
        return [feature.name for feature in features], np.arange(len(features))
    upper = [family for family in index.explainer.families if family.parent is None]
    place = {family.id: at for at, family in enumerate(upper)}
    for family in index.explainer.families:
        if family.parent is not None:
            place[family.id] = place.get(family.parent, -1)
    of_feature = [-1 if feature.family is None else place.get(feature.family, -1) for feature in features]
    return [family.name for family in upper], np.array(of_feature, np.int64)


def _coactive(index: Index, sample: Rows) -> tuple[CoactivePair, ...]:
    if not len(sample):
        return ()
    codes = index.codes(sample, index.manifest.views[0])
    has = np.zeros((len(sample), index.manifest.features), np.float32)
    np.put_along_axis(has, codes.features, (codes.values > 0).astype(np.float32), axis=1)
    counts = has.sum(axis=0)
    used = np.flatnonzero(counts >= FEWEST)
    both = has[:, used].T @ has[:, used]
    jaccard = both / np.maximum(1, counts[used][:, None] + counts[used][None] - both)
    first, second = np.nonzero(np.triu(jaccard >= OVERLAP, 1))
    order = np.argsort(-jaccard[first, second], kind="stable")
    return tuple(
        CoactivePair(feature_row(index, int(a)), feature_row(index, int(b)), round(float(jaccard[i, j]), 3))
        for i, j in zip(first[order], second[order], strict=True)
        for a, b in [(used[i], used[j])]
    )


def _hubs(index: Index, probes: Rows, most: int) -> tuple[Hub, ...]:
    """Documents that are found far more often than expected by chance when other documents are the queries."""
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
    sae, known = index.explainer.sae, index.explainer.features
    same: NDArray[np.int64] = np.full(len(q), row)
    shared, parts = attribute_shared(sae, q, index.vectors(same), sae.encode(q), index.all_codes(same))
    shares = np.bincount(shared.features, weights=parts.shares, minlength=sae.features) / len(q)
    ordered = [j for j in np.argsort(-shares, kind="stable").tolist() if shares[j]]
    explanation = Explanation(
        score=float(parts.score.mean()),
        bias=float(parts.bias.mean()),
        remainder=float(parts.remainder.mean()),
        terms=tuple(Term("feature", j, known[j].label, float(shares[j])) for j in ordered),
        note=f"the mean over {found} documents near this one",
    )
    document = index.document(row)
    kept = explanation.only([i for i, term in enumerate(explanation.terms[:HUB_TERMS]) if term.share > 0])
    return Hub(document.id, document.title, found, round(expected, 2), kept)
