"""Do the features of an explanation carry the score? Erase them, keep only them, and measure (paper, Fig. 7).

The sets, compared on the same pairs: the features of the explanation (xetrieval), those shared with the original view
(original_view), active features of z that are not shared (control), and the features that an autoencoder of the
encoder's own vectors shares between q and z (direct). Size alone changes the score, so each set is also compared with
two of the same size: random active features of z outside the set, and random features of similar frequency that are not
dead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..arrays import Float32, Float64, IntArray
from ..data.benchmark import Benchmark
from ..errors import InputError
from ..explain import Explainer, attribute, overlap
from ..intervals import cluster_bootstrap
from ..sae import SparseAutoencoder, SparseCodes
from ..sae.projection import FeatureSets
from ..steer import erase_and_keep
from .pairs import InterventionConfig, Pairs, draw_pairs, random_active
from .vectors import BenchmarkVectors

FREQUENCY_ROWS: Final = 4096  # documents used to count the frequencies of a raw autoencoder


@dataclass(frozen=True)
class InterventionResult:
    """The effect of erasing and keeping sets of features on the scores of a benchmark's pairs.

    Attributes:
        sets: name -> {size, erase, keep_only, explained, ..., each with _random, _random_live and _ci}, and the same
            under tp and fp for relevant and other pairs. erase is the mean drop in the cosine (positive where the score
            falls), keep_only its mean change.
    """

    dataset: str
    queries: int
    pairs: int
    tp_pairs: int
    mean_score: float
    sets: Mapping[str, Mapping[str, Any]]


def intervention(
    explainer: Explainer,
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    config: InterventionConfig | None = None,
    raw: SparseAutoencoder | None = None,
) -> InterventionResult:
    """Erase and keep the features of the explanation of each pair, and of the control sets. `raw` is for "direct".

    Raises:
        InputError: no query with a relevant document, or a `raw` of the wrong dimension.
    """
    if raw is not None and raw.dimension != explainer.sae.dimension:
        raise InputError(f"the raw autoencoder has dimension {raw.dimension}, the explainer {explainer.sae.dimension}")
    config = config or InterventionConfig()
    rng = np.random.default_rng(config.seed)
    pairs = draw_pairs(benchmark, vectors, config, rng)
    rows, place = np.unique(pairs.document, return_inverse=True)
    views = [codes.rows(place) for codes in explainer.codes(vectors.documents[rows])]
    q, z = vectors.queries[pairs.query], vectors.documents[pairs.document]
    systems = list(_systems(explainer, q, views))
    if raw is not None:
        systems.append(_direct(raw, q, z, vectors.documents))
    sets = {}
    for name, sae, chosen, active, frequency in systems:
        measured = {
            "": _measure(sae, q, z, chosen),
            "_random": _measure(sae, q, z, random_active(chosen, active, rng)),
            "_random_live": _measure(sae, q, z, random_live(chosen, frequency, rng)),
        }
        sets[name] = _summary(measured, pairs, config)
    return InterventionResult(
        dataset=benchmark.name,
        queries=len(np.unique(pairs.query)),
        pairs=len(q),
        tp_pairs=int(pairs.relevant.sum()),
        mean_score=float(np.einsum("nm,nm->n", q, z).mean()),
        sets=sets,
    )


class _System(NamedTuple):
    name: str
    sae: SparseAutoencoder
    chosen: list[IntArray]  # the chosen features of each pair
    active: list[IntArray]  # the features active in z of each pair
    frequency: Float64  # [F]


def _systems(explainer: Explainer, q: Float32, views: list[SparseCodes]) -> Iterator[_System]:
    sae = explainer.sae
    shared = overlap(sae.encode(q), views, sae.features)
    per_pair = [shared.of(i) for i in range(len(q))]
    whole = [shared.features[rows] for rows in per_pair]
    original = [shared.features[rows][shared.view_activations[rows, 0] > 0] for rows in per_pair]
    active = [views[0].support(i) for i in range(len(q))]
    control = [np.setdiff1d(a, s) for a, s in zip(active, whole, strict=True)]
    frequency = np.array([feature.frequency for feature in explainer.features])
    for name, chosen in (("xetrieval", whole), ("original_view", original), ("control", control)):
        yield _System(name, sae, chosen, active, frequency)


def _direct(raw: SparseAutoencoder, q: Float32, z: Float32, documents: Float32) -> _System:
    codes = raw.encode(z)
    shared = overlap(raw.encode(q), [codes], raw.features)
    seen = raw.encode(np.ascontiguousarray(documents[:FREQUENCY_ROWS]))
    firing = np.bincount(seen.features[seen.values > 0], minlength=raw.features)
    return _System(
        "direct",
        raw,
        [shared.features[shared.of(i)] for i in range(len(q))],
        [codes.support(i) for i in range(len(q))],
        firing / len(seen),
    )


def _measure(sae: SparseAutoencoder, q: Float32, z: Float32, chosen: list[IntArray]) -> dict[str, Float64]:
    sets = FeatureSets.of(chosen)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, sets)
    erased, kept = erase_and_keep(sae, z, sets)
    cosine = parts.score
    return {
        "size": np.array([len(ids) for ids in chosen], float),
        "erase": cosine - np.einsum("nm,nm->n", q, erased),
        "keep_only": np.einsum("nm,nm->n", q, kept) - cosine,
        "explained": (parts.bias + parts.total) / cosine,
        "explained_without_bias": parts.total / cosine,
        "_score": cosine,  # a ratio of sums: a score near zero would distort a mean of ratios
        "_own": cosine - parts.bias,
        "_remainder": cosine - parts.bias - parts.total,
    }


def random_live(chosen: list[IntArray], frequency: Float64, rng: Generator, window: int = 25) -> list[IntArray]:
    """For each feature, a random one outside the set that is not dead, among its 2 * window neighbours by frequency."""
    live = np.flatnonzero(frequency > 0)
    by_frequency = live[np.argsort(frequency[live], kind="stable")]
    place = np.zeros(len(frequency), np.int64)
    place[by_frequency] = np.arange(len(by_frequency))
    out = []
    for ids in chosen:
        taken = {int(j) for j in ids}
        for j in ids:
            near = by_frequency[max(0, place[j] - window) : place[j] + window + 1]
            free = [int(n) for n in near if int(n) not in taken]
            if free:
                taken.add(free[int(rng.integers(len(free)))])
        out.append(np.array(sorted(taken - {int(j) for j in ids}), np.int32))
    return out


def _summary(measured: dict[str, dict[str, Float64]], pairs: Pairs, config: InterventionConfig) -> dict[str, Any]:
    everything = np.ones(len(pairs.relevant), bool)
    record = _means(measured, pairs.query, everything, config)
    record["tp"] = _means(measured, pairs.query, pairs.relevant, config)
    record["fp"] = _means(measured, pairs.query, ~pairs.relevant, config)
    return record


def _means(
    measured: dict[str, dict[str, Float64]],
    query: NDArray[np.int64],
    which: NDArray[np.bool_],
    config: InterventionConfig,
) -> dict[str, Any]:
    record: dict[str, Any] = {"pairs": int(which.sum())}
    if not which.any():
        return record
    for suffix, values in measured.items():
        score, own, rest = (values[key][which] for key in ("_score", "_own", "_remainder"))
        record["explained_of_sums" + suffix] = round(1 - float(rest.sum() / score.sum()), 5)
        record["remainder_of_sums" + suffix] = round(float(np.abs(rest).sum() / max(1e-12, np.abs(own).sum())), 5)
        for key, value in values.items():
            if key.startswith("_"):
                continue
            mean, low, high = cluster_bootstrap(value[which], query[which], config.bootstrap, config.seed)
            record[key + suffix] = round(mean, 5)
            record[key + suffix + "_ci"] = [round(low, 5), round(high, 5)]
    return record
