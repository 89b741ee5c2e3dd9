"""Why two encoders rank a document differently, as named parts of both rankings.

Scores of two encoders have no common unit. So each is taken in units of its own ranking: over the documents U that
either encoder has in its top 100,

    (s(q,d) - mean s) / spread s  =  sum_j (share_j(q,d) - mean share_j) / spread s  +  the same of the remainder

The bias is the same for all documents and cancels. A document outside U is put in the same units. Both scores are split
over the features of the first encoder's dictionary, which `fitting.bridge` carries to the second. Shares are those of
the documents' own vectors, without views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Float64
from ...errors import InputError
from ...explain.attribution import attribute_shared
from ...features import LISTED_WORDS, Feature, feature_name
from ...fitting.bridge import FEWEST, Bridge, carry_features
from ...records import Record
from ...sae import SparseAutoencoder, SparseCodes
from ...text import clip, printable
from ..search.ranking import check_k
from .why import all_scores, rank_in

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index
    from ..store.reader import Rows

DEPTH: Final = 100  # documents of each ranking that are the unit of its scores
MOST_TEXTS: Final = 8000  # common documents that features are carried over
FEWEST_RANKED: Final = 10  # documents in U


@dataclass(frozen=True)
class Placed(Record):
    """A document in both rankings."""

    doc_id: str
    title: str
    ranks: tuple[int, int]
    scores: tuple[float, float]
    standardised: tuple[float, float]  # scores in units of each ranking


@dataclass(frozen=True)
class PartOfBoth(Record):
    """A feature, and its part of both standardised scores."""

    feature_id: int
    label: str | None
    words: tuple[str, ...]  # the corpus's words for the feature
    parts: tuple[float, float]
    correlation: float | None  # of its activations in the two encoders; None: not tested
    shared: bool  # whether the second encoder has it too

    @property
    def name(self) -> str:
        """The label, or the corpus's words for a feature without one."""
        if self.label is None and self.words:
            return f"unnamed: {', '.join(self.words)}"
        return feature_name(self.label, self.feature_id)


@dataclass(frozen=True)
class TwoEncoders(Record):
    """Two rankings of one query; if a document was named, its two scores split over the same features."""

    query: str
    encoders: tuple[str, str]
    documents: tuple[int, int]  # ranked by each
    candidates: int  # in U
    left_out: int  # of the top documents: in one index only, or with another text there
    hits: tuple[Placed, ...]  # the best of either ranking
    document: Placed | None = None
    terms: tuple[PartOfBoth, ...] = ()  # by |difference|
    remainder: tuple[float, float] = (0.0, 0.0)
    carried: int = 0  # features that both encoders have
    tested: int = 0  # features that could be tested
    texts: int = 0  # texts that they were carried over

    def __repr__(self) -> str:
        which = "" if self.document is None else f", {clip(self.document.doc_id, 40)!r}"
        return (
            f"TwoEncoders({clip(self.query, 40)!r}{which}, {clip(self.encoders[0], 40)}, {clip(self.encoders[1], 40)})"
        )

    def __str__(self) -> str:
        from ...render.text import without_colour
        from .two_encoders_table import compared_parts

        return without_colour(*compared_parts(self)).rstrip()


@dataclass(frozen=True, eq=False)
class _Ranking:
    """One encoder's scores of all its documents, and of the common candidates."""

    index: Index
    q: Float32  # [m]
    scores: Float32  # [documents]
    rows: Rows  # of the candidates

    @property
    def own(self) -> Float64:
        """Scores of the candidates."""
        own: Float64 = self.scores[self.rows].astype(np.float64)
        return own

    def standardised(self, row: int) -> float:
        """The score of any document in units of this ranking."""
        return float((np.float64(self.scores[row]) - self.own.mean()) / _spread(self.own))


def compare_encoders(
    first: Index, second: Index, query: str, doc_id: str | None = None, *, k: int = 10, bridge: Bridge | None = None
) -> TwoEncoders:
    """Compare how two indexes of the same documents rank them for a query.

    Args:
        doc_id: also split both scores of this document over the same features.
        k: documents of each ranking to list, at most 100.
        bridge: as `bridge_between` makes it, if several questions are asked of the same indexes.
    Raises:
        InputError: the indexes have too few documents in common, or the document is not in both with the same text.
    """
    check_k(k)
    if k > DEPTH:
        raise InputError(f"k is {k}; a comparison covers the top {DEPTH} of each ranking, so give at most {DEPTH}")
    if not isinstance(query, str):
        raise InputError("a comparison of encoders needs the text of the query: a vector belongs to one encoder")
    vectors = [index.query_vector(query)[0] for index in (first, second)]
    scores = [all_scores(index, q) for index, q in zip((first, second), vectors, strict=True)]
    rows, left_out = _candidates(first, second, scores)
    wanted = None
    if doc_id is not None:
        wanted = _common(first, second, first.row_of(doc_id))
        if wanted is None:
            raise InputError(f"{clip(doc_id, 80)!r} is not in both indexes with the same text")
    if len(rows) < FEWEST_RANKED:
        raise InputError(
            f"{len(rows)} of the top documents are in both indexes with the same text; a comparison needs "
            f"{FEWEST_RANKED}. Build both with --no-chunks: every encoder cuts texts in its own way"
        )
    sides = [
        _Ranking(index, q, score, rows[:, side])
        for side, (index, q, score) in enumerate(zip((first, second), vectors, scores, strict=True))
    ]
    found = TwoEncoders(
        query,
        _names(first, second),
        (len(first), len(second)),
        len(rows),
        left_out,
        tuple(_placed(sides, rows[place].tolist()) for place in _best(sides, k)),
    )
    if wanted is None:
        return found
    return _split(found, sides, wanted, bridge or bridge_between(first, second))


def bridge_between(first: Index, second: Index, seed: int = 0) -> Bridge:
    """Carry the first index's features over to the second index's encoder, by the documents that both have.

    Raises:
        InputError: fewer than 100 documents in common.
    """
    alive = first.alive
    drawn = np.random.default_rng(seed).permutation(alive)[: 2 * MOST_TEXTS]
    pairs = [pair for row in drawn.tolist() if (pair := _common(first, second, row)) is not None][:MOST_TEXTS]
    if len(pairs) < FEWEST:
        raise InputError(
            f"the two indexes have {len(pairs)} of {len(drawn):,} documents in common (same id, same text); carrying "
            f"features over takes {FEWEST}"
        )
    rows = np.array(pairs)
    return carry_features(first.explainer.sae, first.vectors(rows[:, 0]), second.vectors(rows[:, 1]), seed)


def _common(first: Index, second: Index, row: int) -> tuple[int, int] | None:
    """The rows of a document in both indexes, if it has the same text."""
    one = first.document(row)
    other = second.find(one.id)
    return None if other is None or second.document(other).text != one.text else (row, other)


def _candidates(first: Index, second: Index, scores: list[Float32]) -> tuple[NDArray[np.int64], int]:
    """Rows [n, 2] of the documents in either top 100 that both indexes have, and how many they do not."""
    tops = [np.argsort(-one, kind="stable")[: min(DEPTH, int(np.isfinite(one).sum()))] for one in scores]
    kept: set[tuple[int, int]] = set()
    lacking: set[str] = set()
    for own, other, top in ((first, second, tops[0]), (second, first, tops[1])):
        for row in top.tolist():
            if (pair := _common(own, other, row)) is None:
                lacking.add(own.document(row).id)
            else:
                kept.add(pair if own is first else pair[::-1])
    return np.array(sorted(kept), np.int64).reshape(-1, 2), len(lacking)


def _best(sides: list[_Ranking], k: int) -> list[int]:
    """Places of the candidates that are in the top k of either ranking, by their better rank."""
    ranks = np.array([[rank_in(side.scores, int(row)) for row in side.rows] for side in sides])
    best = ranks.min(axis=0)
    return [int(place) for place in np.lexsort((ranks.max(axis=0), best)) if best[place] <= k]


def _placed(sides: list[_Ranking], rows: Sequence[int]) -> Placed:
    """A document, by its rows in both indexes."""
    document = sides[0].index.document(rows[0])
    ranks, scores, units = zip(
        *(
            (rank_in(side.scores, row), float(side.scores[row]), side.standardised(row))
            for side, row in zip(sides, rows, strict=True)
        ),
        strict=True,
    )
    return Placed(document.id, document.title, tuple(ranks), tuple(scores), tuple(units))


def _split(found: TwoEncoders, sides: list[_Ranking], wanted: tuple[int, int], bridge: Bridge) -> TwoEncoders:
    """The two standardised scores of a document (its rows), over the features of the first encoder."""
    first, second = sides
    explainer = first.index.explainer
    rows = [np.append(side.rows, row) for side, row in zip(sides, wanted, strict=True)]
    z = [side.index.vectors(own) for side, own in zip(sides, rows, strict=True)]
    one = _parts(explainer.sae, first.q, z[0], first.index.codes(rows[0], first.index.manifest.views[0]))
    two = _parts(bridge.sae, second.q, z[1], bridge.sae.encode(z[1]))
    parts = np.stack([one[0], two[0]])
    order = np.argsort(-np.abs(parts[0] - parts[1]), kind="stable")
    terms = tuple(_term(explainer.features[j], parts[:, j], bridge) for j in order.tolist() if parts[:, j].any())
    return replace(
        found,
        document=_placed(sides, wanted),
        terms=terms,
        remainder=(one[1], two[1]),
        carried=int(bridge.carried.sum()),
        tested=int(bridge.tested.sum()),
        texts=bridge.texts,
    )


def _term(feature: Feature, parts: Float64, bridge: Bridge) -> PartOfBoth:
    j = feature.feature_id
    value = None if not bridge.tested[j] else round(float(bridge.correlation[j]), 4)
    words = feature.words[:LISTED_WORDS]
    return PartOfBoth(j, feature.label, words, (float(parts[0]), float(parts[1])), value, bool(bridge.carried[j]))


def _parts(sae: SparseAutoencoder, q: Float32, z: Float32, codes: SparseCodes) -> tuple[Float64, float]:
    """Each feature's part [F] of the standardised score of the last row of `z`, and the remainder's.

    The rows before it are the candidates.
    """
    query = sae.encode(q[None]).rows(np.zeros(len(z), np.int64))
    shared, split = attribute_shared(sae, np.repeat(q[None], len(z), axis=0), z, query, [codes])
    count, own = len(z) - 1, shared.starts[-2]  # the first share of the last row
    total = np.bincount(shared.features[:own], weights=split.shares[:own], minlength=sae.features)
    parts = -total / count
    parts[shared.features[own:]] += split.shares[own:]
    spread = _spread(split.score[:count])
    return parts / spread, float((split.remainder[count] - split.remainder[:count].mean()) / spread)


def _spread(scores: Float64) -> float:
    """Standard deviation; 1 if all scores are equal."""
    return float(scores.std()) or 1.0


def _names(first: Index, second: Index) -> tuple[str, str]:
    """What the two encoders are called: by their names, or by the indexes' folders if these are the same."""
    names = [printable(index.explainer.encoder_identity.name) for index in (first, second)]
    if names[0] == names[1]:
        names = [printable(index.folder.name) for index in (first, second)]
    return names[0], names[1]
