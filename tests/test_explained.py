"""How much of a score is explained, by hand-checked numbers, and the untrained dictionaries beside it."""

from __future__ import annotations

import numpy as np
import pytest

from paper.kit.explained_beside import best_pairs, explained_beside
from xetrieval.data import Document
from xetrieval.data.benchmark import Benchmark
from xetrieval.evaluate import BenchmarkVectors
from xetrieval.explain.explained import explained, pair_parts
from xetrieval.explain.untrained import untrained
from xetrieval.sae import SparseAutoencoder

Q = np.array([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]], np.float32)
Z = np.array([[0.8, 0.6, 0.0], [0.0, 1.0, 0.0]], np.float32)


def axes(k: int | None, bias: float = 0.0) -> SparseAutoencoder:
    """Three features, one an axis."""
    eye = np.eye(3, dtype=np.float32)
    thresholds = None if k else np.full(3, 0.5, np.float32)
    return SparseAutoencoder(eye, np.zeros(3, np.float32), eye, np.array([bias, 0, 0], np.float32), k, thresholds)


def test_shares_are_summed_over_what_the_bias_leaves_of_the_scores() -> None:
    # k = 1: the first pair shares nothing (axis 1 of q, axis 0 of z), nor does the second (axis 2, axis 1)
    assert explained(axes(1), Q, Z).explained == 0
    assert explained(axes(1), Q, Z).remainder == pytest.approx(1)
    assert explained(axes(1), Q, Z).nothing_shared == 1
    # k = 2: the first pair shares axes 0 and 1 (0.48 + 0.48), the second axis 1 (0.6)
    found = explained(axes(2), Q, Z, np.array([True, False, True]))
    assert found.explained == pytest.approx(1)
    assert (found.features, found.nothing_shared) == (1.5, 0)
    assert found.named == pytest.approx(0.48 / (0.96 + 0.6))
    # thresholds at 0.5 and a bias of 0.2 on axis 0: of q 0.4 is left there, so axis 0 is not shared
    found = explained(axes(None, 0.2), Q[:1], Z[:1])
    assert found.bias == pytest.approx(0.12 / 0.96)
    assert found.explained == pytest.approx(0.48 / (0.96 - 0.12), abs=1e-5)
    assert found.remainder == pytest.approx(0.36 / (0.96 - 0.12), abs=1e-5)
    assert found.with_bias == pytest.approx(0.6 / 0.96, abs=1e-5)


def test_no_pair_gives_no_figure() -> None:
    assert np.isnan(pair_parts(axes(2), Q, Z).over(np.zeros(2, bool)).explained)


def test_untrained_directions_keep_the_size_bias_and_rule() -> None:
    rng = np.random.default_rng(0)
    corpus = (rng.standard_normal((2000, 3)) * [30.0, 0.1, 0.1]).astype(np.float32)
    sae = next(untrained(axes(2, 0.2), corpus, seeds=[1]))
    assert (sae.features, sae.k, sae.decoder_bias[0]) == (3, 2, np.float32(0.2))
    assert np.allclose(np.linalg.norm(sae.directions, axis=1), 1, atol=1e-6)
    assert np.abs(sae.directions[:, 0]).min() > 0.9, "they follow the corpus"
    assert not np.allclose(sae.directions, next(untrained(axes(2, 0.2), corpus, seeds=[2])).directions)
    assert np.abs(next(untrained(axes(2), corpus, "isotropic")).directions[:, 1:]).max() > 0.5
    by_level = axes(None)
    active = (next(untrained(by_level, corpus)).encode(corpus).values > 0).sum()
    assert active == pytest.approx((by_level.encode(corpus).values > 0).sum(), abs=3)


def test_the_three_best_of_each_query_relevant_ones_apart() -> None:
    z = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.6, 0.8, 0], [0, 0, 1]], np.float32)
    documents = [Document(f"d{i}", f"text {i}", f"text {i}", f"d{i}", {}) for i in range(4)]
    benchmark = Benchmark("b", documents, ["q"], ["?"], {"q": {"d1": 1}})
    vectors = BenchmarkVectors(z[:1], z)
    pairs = best_pairs(benchmark, vectors)
    assert pairs.document.tolist() == [0, 1, 2]
    assert pairs.relevant.tolist() == [False, True, False]
    found = explained_beside(axes(2), z[pairs.query], z[pairs.document], z, pairs.relevant)
    assert (found.every.pairs, found.relevant.pairs, found.others.pairs) == (3, 1, 2)
    assert len(found.covariance) == len(found.isotropic) == 5
    assert found.to_dict()["margin"] == round(found.every.explained - found.explained_untrained, 4)
