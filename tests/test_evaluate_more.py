"""Steering, labels and efficiency: what each measures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit
from test_evaluate_retrieval import noisy, write_benchmark

from paper.kit.efficiency import EfficiencyConfig, efficiency
from paper.studies.efficiency import main as command
from xetrieval.arrays import l2norm
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError
from xetrieval.evaluate import BenchmarkVectors, SteeringConfig, ndcg10, reconstructed, steering
from xetrieval.evaluate.steering import _Side, utility
from xetrieval.features import Feature


def test_steering_by_one_is_reconstruction_and_with_the_error_kept_is_nothing() -> None:
    benchmark, vectors, _ = noisy(40)
    sae = random_sae()
    config = SteeringConfig(alphas=(0.0, 1.0, 2.0))
    dropped, kept = steering(sae, benchmark, vectors, config)
    held = np.sort(np.random.default_rng(0).permutation(40)[20:])
    part = replace(
        benchmark,
        query_ids=[benchmark.query_ids[row] for row in held],
        queries=[benchmark.queries[row] for row in held],
    )
    few = BenchmarkVectors(vectors.queries[held], vectors.documents)
    for name in ("key", "nonkey", "random"):
        assert dropped.ndcg10[name][1] == pytest.approx(100 * ndcg10(part, reconstructed(sae, few)), abs=1e-2)
        assert kept.ndcg10[name][1] == pytest.approx(100 * ndcg10(part, few), abs=1e-2)
    assert (dropped.error_kept, kept.error_kept) == (False, True)
    assert dropped.half == "held out"
    assert dropped.sizes["nonkey"] <= dropped.sizes["key"] <= 16


def test_key_features_are_the_topics_and_erasing_them_alone_destroys_the_ranking() -> None:
    explainer, benchmark, vectors, _ = worded(120)
    rng, encoder = np.random.default_rng(1), HashingEncoder(64)
    topics = [document.text.split()[0] for document in benchmark.documents]  # words 0 to 5
    queries = [f"{topics[i]} word{rng.integers(6, 12)}" for i in range(120)]
    ids = [d.id for d in benchmark.documents]
    judged = {
        q: {d: 1 for d, t in zip(ids, topics, strict=True) if t == topics[i]} for i, q in enumerate(benchmark.query_ids)
    }
    benchmark = replace(benchmark, queries=queries, judgments=judged)
    vectors = BenchmarkVectors(encoder.encode_query(queries), vectors.documents)
    record = steering(explainer.sae, benchmark, vectors, SteeringConfig(alphas=(0.0, 1.0), fraction=0.5))[1]
    rus = utility(_Side(explainer.sae, vectors), benchmark, vectors, np.arange(120), 0)
    assert set(np.argsort(-rus)[:6]) == set(range(6))
    gain = {name: curve[1] - curve[0] for name, curve in record.ndcg10.items()}
    assert gain["key"] > 20
    assert gain["key"] > gain["nonkey"] + 20


def test_the_steered_vector_is_what_the_equation_says() -> None:
    sae = random_sae()
    vectors = BenchmarkVectors(unit(3, seed=1), unit(5, seed=2))
    side, ids = _Side(sae, vectors), np.array([3, 40, 77], np.int32)
    codes = sae.encode(vectors.documents).dense(128)
    scaled = codes.copy()
    scaled[:, ids] *= 1.5
    expected = scaled @ sae.decoder_weight.T + sae.decoder_bias
    assert np.allclose(side.steered(ids, 1.5, error_kept=False).documents, l2norm(expected), atol=1e-5)
    kept = vectors.documents + (scaled - codes) @ sae.decoder_weight.T
    assert np.allclose(side.steered(ids, 1.5, error_kept=True).documents, l2norm(kept), atol=1e-5)


def test_utility_counts_matched_less_as_many_unmatched_pairs() -> None:
    benchmark, vectors, _ = noisy(20)
    side = _Side(random_sae(), vectors)
    rus = utility(side, benchmark, vectors, np.arange(20), 0)
    shared = [len(np.intersect1d(side.queries.support(i), side.documents.support(i))) for i in range(20)]
    assert rus.sum() <= sum(shared)
    assert rus.max() > 0
    few = replace(benchmark, query_ids=["q0"], queries=["q0"])
    with pytest.raises(InputError, match="at least 4 queries"):
        steering(random_sae(), few, vectors)


def worded(count: int = 60) -> tuple:
    """An explainer whose features are words, each labelled by its word; documents of two words."""
    benchmark, _, _ = noisy(count)
    words = [f"word{i}" for i in range(12)]
    rng = np.random.default_rng(0)
    pairs = [(rng.integers(6), rng.integers(6, 12)) for _ in range(count)]
    documents = [
        document._replace(text=f"{words[a]} {words[b]} {document.id}")
        for document, (a, b) in zip(benchmark.documents, pairs, strict=True)
    ]
    explained, judge = HashingEncoder(64), HashingEncoder(96)
    directions = explained.encode_document(words)
    base = random_explainer()
    sae = replace(
        base.sae,
        encoder_weight=directions,
        encoder_bias=np.full(12, -0.3, np.float32),
        decoder_weight=np.ascontiguousarray(directions.T),
        decoder_bias=np.zeros(64, np.float32),
        k=3,
    )
    named = tuple(Feature(i, word, "keyphrase", 0.1) for i, word in enumerate(words))
    vectors = BenchmarkVectors(unit(count), explained.encode_document([d.text for d in documents]))
    return replace(base, sae=sae, features=named), replace(benchmark, documents=documents), vectors, judge


def test_efficiency_times_each_size() -> None:
    benchmark, vectors, _ = noisy(20)
    records = efficiency(random_explainer(), benchmark, vectors, EfficiencyConfig((10, 50), 1, seconds_per_text=2.0))
    assert [(r["documents"], r["written_s"]) for r in records] == [(10, 60.0), (50, 300.0)]
    assert all(r["views_and_codes_s"] > 0 and r["explanations_s"] > 0 for r in records)


def test_efficiency_has_a_command_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_benchmark(tmp_path / "toy")
    write_benchmark(tmp_path / "other")
    random_explainer().save(tmp_path / "x")
    monkeypatch.setenv("XETRIEVAL_DATA", str(tmp_path))
    options = ["--data", "toy", "--data", str(tmp_path / "other"), "--explainer", str(tmp_path / "x"), "--queries", "4"]
    assert command([*options, "--sizes", "10,20"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert {(record["dataset"], record["documents"]) for record in records} == {
        ("toy", 10),
        ("toy", 20),
        ("other", 10),
        ("other", 20),
    }
    assert command([*options, "--sizes", "1.5"]) == 2
    assert "--sizes" in capsys.readouterr().err
