"""Ranking by reconstructed vectors, intruders, and the measures of an autoencoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_sae, unit

from xetrieval.data.benchmark import Benchmark
from xetrieval.data.corpus import Document
from xetrieval.errors import InputError
from xetrieval.evaluate import BenchmarkVectors, IntruderSample, intruder_score, ndcg10, reconstructed
from xetrieval.evaluate.plots import plot_curves, plot_sweep
from xetrieval.intervals import wilson
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import duplicate_fraction, evaluate_sae
from xetrieval.sae.train import Stack


def benchmark(n: int = 20) -> Benchmark:
    documents = [Document(f"d{i}", f"text {i}", f"text {i}", f"d{i}", {}) for i in range(n)]
    queries = [f"q{i}" for i in range(5)]
    return Benchmark("toy", documents, queries, queries, {f"q{i}": {f"d{i}": 1, "absent": 1} for i in range(5)})


def test_ndcg_counts_a_judged_document_that_is_absent_as_missed() -> None:
    documents = unit(20)
    perfect = BenchmarkVectors(documents[:5], documents)
    assert ndcg10(benchmark(), perfect) == pytest.approx(1 / (1 + 1 / np.log2(3)), abs=1e-6)


def test_an_exact_autoencoder_keeps_the_ranking_and_a_poor_one_does_not() -> None:
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((64, 64)))[0].astype(np.float32)
    both = np.concatenate([basis, -basis])  # every vector is a sum of positive parts of these
    exact = SparseAutoencoder(both, np.zeros(128, np.float32), both.T.copy(), np.zeros(64, np.float32), 64)
    documents = unit(20)
    vectors = BenchmarkVectors(documents[:5] + 0.01, documents)
    assert np.allclose(reconstructed(exact, vectors).documents, documents, atol=1e-5)
    assert ndcg10(benchmark(), reconstructed(exact, vectors)) == pytest.approx(ndcg10(benchmark(), vectors))
    poor = replace(exact, k=1)
    assert ndcg10(benchmark(), reconstructed(poor, vectors)) < ndcg10(benchmark(), vectors)


def test_an_intruder_is_found_where_features_mean_something_and_not_where_they_do_not() -> None:
    rng = np.random.default_rng(0)
    topics = np.eye(8, 32, dtype=np.float32)
    topic = rng.integers(8, size=2000)
    texts = topics[topic] + rng.normal(0, 0.05, (2000, 32)).astype(np.float32)
    judge = rng.standard_normal((8, 16))[topic] + rng.normal(0, 0.1, (2000, 16))
    sae = SparseAutoencoder(
        topics, np.full(8, -0.5, np.float32), topics.T.copy(), np.zeros(32, np.float32), None, np.zeros(8, np.float32)
    )
    good = intruder_score(sae, IntruderSample(texts, judge))
    assert good.features == 8
    assert good.accuracy == 1.0
    chance = [
        intruder_score(random_sae(64, 32, 8), IntruderSample(unit(2000, 32), rng.standard_normal((2000, 16))), seed)
        for seed in range(4)
    ]
    assert np.mean([score.accuracy for score in chance]) < 0.25
    assert good.low < good.accuracy <= good.high + 1e-9
    with pytest.raises(InputError, match="one row per text"):
        intruder_score(sae, IntruderSample(texts, judge[:5]))


def test_the_interval_of_a_share() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(43 / 50, 50)
    assert low == pytest.approx(0.738, abs=1e-3)
    assert high == pytest.approx(0.930, abs=1e-3)


def test_measures_do_not_depend_on_how_rows_lie_in_files() -> None:
    sae, x = random_sae(), unit(900)
    whole, parts = evaluate_sae(sae, x), evaluate_sae(sae, Stack([x[:100], x[100:]]))
    assert whole == pytest.approx(parts)
    assert whole.l0 == pytest.approx((sae.encode(x).values > 0).sum(1).mean())


def test_duplicates_are_directions_nearly_equal_whatever_their_length() -> None:
    sae = random_sae()
    assert duplicate_fraction(sae) == 0
    W = sae.decoder_weight.copy()
    W[:, 1] = 3 * W[:, 0]
    assert duplicate_fraction(replace(sae, decoder_weight=W)) == pytest.approx(2 / 128)


def test_figures_need_something_to_draw(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records"):
        plot_sweep([], tmp_path / "f.png")
    with pytest.raises(InputError, match="no such log"):
        plot_curves(tmp_path / "log.jsonl", tmp_path / "f.png")
