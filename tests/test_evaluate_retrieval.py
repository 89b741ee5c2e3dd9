"""Retrieval with views: what is compared, tested and learned."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import random_internalizer, unit
from test_intervention import toy_benchmark

from paper.kit.folds import cross_fitted_views
from xetrieval.arrays import l2norm
from xetrieval.configs import WeightsConfig
from xetrieval.data import Document, read_corpora
from xetrieval.data.benchmark import Benchmark, open_benchmark, sample_benchmark
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError
from xetrieval.evaluate import BenchmarkVectors, RetrievalConfig, internalized, retrieval, taught
from xetrieval.evaluate.retrieval import ndcg10_by_query, paired_test, with_views
from xetrieval.evaluate.vectors import ranking
from xetrieval.evaluate.weights import learn_weights
from xetrieval.llm import Answer
from xetrieval.teachers import TeacherPair, read_prompt, read_teacher
from xetrieval.teachers.checks import check

FACTS = {"encoder": "toy", "system": "internalizer", "form": "residual", "teacher": "t"}


def noisy(queries: int = 80, seed: int = 0) -> tuple[Benchmark, BenchmarkVectors, np.ndarray]:
    """Documents whose own vectors are noisy copies of their query's, and a view that is nearer."""
    rng = np.random.default_rng(seed + 100)
    q = unit(queries, seed=seed)
    documents, view = (l2norm(q + scale * rng.standard_normal(q.shape)).astype(np.float32) for scale in (0.6, 0.25))
    names = [Document(f"d{i}", f"text {i}", "", f"d{i}", {}) for i in range(queries)]
    ids = [f"q{i}" for i in range(queries)]
    judged = {identifier: {f"d{i}": 1} for i, identifier in enumerate(ids)}
    return Benchmark("noisy", names, ids, ids, judged), BenchmarkVectors(q, documents), view


def test_the_sum_of_views_ranks_as_the_equation_says() -> None:
    _, vectors = toy_benchmark()
    views = {"qa": unit(60, seed=5), "summary": unit(60, seed=6)}
    weights = {"qa": 1.0, "summary": 0.5}
    both = with_views(vectors, views, weights)
    q = vectors.queries
    expected = q @ vectors.documents.T + q @ views["qa"].T + 0.5 * q @ views["summary"].T
    assert np.allclose(q @ both.documents.T, expected, atol=1e-5)


def test_ndcg_of_each_query_by_hand() -> None:
    benchmark, vectors = toy_benchmark()
    found = ndcg10_by_query(benchmark, vectors)
    scores = vectors.queries[5] @ vectors.documents.T
    scores[3] = -1  # a repeated text
    place = int((scores > scores[5]).sum())
    ideal = 1 + 1 / np.log2(3)  # the absent judged document counts as missed
    assert found[5] == pytest.approx((1 / np.log2(place + 2) if place < 10 else 0) / ideal)
    assert len(found) == 10


@pytest.mark.slow
def test_a_record_for_each_system_with_paired_figures() -> None:
    benchmark, vectors, view = noisy()
    alone, better = retrieval(benchmark, vectors, {"qa": view}, FACTS)
    assert alone.system == "none"
    assert (alone.delta, alone.p_value, alone.form) == (0.0, 1.0, None)
    assert better.ndcg10 == pytest.approx(alone.ndcg10 + better.delta, abs=2e-3)
    assert 0 < better.ci_low <= better.delta <= better.ci_high
    assert better.p_value < 0.01
    assert better.weights == {"qa": 1.0}
    assert set(asdict(better)) == {
        *("dataset", "encoder", "system", "form", "teacher", "weights"),
        *("ndcg10", "delta", "ci_low", "ci_high", "p_value", "queries", "documents"),
    }
    assert retrieval(benchmark, vectors, {}, FACTS) == [alone]


def test_the_paired_test_knows_chance_from_change() -> None:
    rng = np.random.default_rng(0)
    p_values = [paired_test(rng.standard_normal(40), 500, 0)[2] for _ in range(60)]
    assert 0.3 < np.mean(p_values) < 0.7
    low, high, p_value = paired_test(rng.standard_normal(40) + 2, 2000, 0)
    assert low > 1
    assert high < 3
    assert p_value < 0.01
    assert paired_test(np.zeros(9), 500, 0) == (0.0, 0.0, 1.0)


def test_learned_weights_find_the_view_that_helps_and_ignore_noise() -> None:
    benchmark, vectors, view = noisy()
    views = {"qa": view, "summary": unit(80, seed=9)}
    weights = learn_weights(benchmark, vectors, views, range(80), WeightsConfig(ridge=0.001))
    assert weights["qa"] > 0.5
    assert 0 <= weights["summary"] < 0.2 * weights["qa"]
    held = learn_weights(benchmark, vectors, views, range(80), WeightsConfig(ridge=1e6))
    assert max(held.values()) < 1e-3


def test_the_gradient_of_the_weights_is_that_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy import optimize

    seen: list[float] = []

    def check(loss: Any, start: Any, **_: Any) -> Any:
        point, step = start + np.linspace(0.1, 0.3, len(start)), 1e-2
        sides = [(loss(point + step * unit)[0], loss(point - step * unit)[0]) for unit in np.eye(len(start))]
        numeric = [(above - below) / (2 * step) for above, below in sides]
        seen.append(float(np.abs(np.array(numeric) - loss(point)[1]).max()))
        return SimpleNamespace(x=start)

    monkeypatch.setattr(optimize, "minimize", check)
    benchmark, vectors, view = noisy(30)
    learn_weights(benchmark, vectors, {"qa": view}, range(30))
    assert seen[0] < 2e-3  # scores are float32


def test_no_query_helps_to_choose_its_own_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["xetrieval.evaluate.retrieval"]

    benchmark, vectors, view = noisy(40)
    trained: list[set[int]] = []
    ranked: list[set[str]] = []

    def learn(benchmark: Any, vectors: Any, views: Any, rows: Any, config: Any) -> dict[str, float]:
        trained.append({int(row) for row in rows})
        return {"qa": 1.0}

    by_query = module.ndcg10_by_query

    def score(part: Benchmark, vectors: Any) -> Any:
        ranked.append(set(part.query_ids))
        return by_query(part, vectors)

    monkeypatch.setattr(module, "learn_weights", learn)
    monkeypatch.setattr(module, "ndcg10_by_query", score)
    _, record = retrieval(benchmark, vectors, {"qa": view}, FACTS, RetrievalConfig("learned"))
    assert len(record.weights) == 2
    for rows, queries in zip(trained, ranked[1:], strict=True):
        assert queries == {f"q{row}" for row in range(40)} - {f"q{row}" for row in rows}
    assert record.queries == 40
    with pytest.raises(InputError, match="sum or learned"):
        RetrievalConfig("all")


# ------------------------------------------------------------------ views


def test_written_texts_rank_the_documents_that_have_them_among_themselves() -> None:
    benchmark, _, _ = noisy(10)
    encoder = HashingEncoder(64)
    lessons = [TeacherPair("qa", f"text {i}", f"about {i}", f"d{i}") for i in range(6)]
    lessons += [TeacherPair("summary", f"text {i}", f"sum {i}", f"d{i}") for i in range(4)]
    part = taught(benchmark, lessons, encoder)
    assert [d.id for d in part.benchmark.documents] == [f"d{i}" for i in range(6)]
    assert part.benchmark.query_ids == [f"q{i}" for i in range(6)]
    assert part.missing == 2
    assert list(part.views) == ["qa", "summary"]
    assert np.allclose(part.views["qa"][2], encoder.encode_document(["about 2"])[0])
    assert np.allclose(part.views["summary"][5], encoder.encode_document(["text 5"])[0])  # what it lacks
    with pytest.raises(InputError, match="no query has a relevant document"):
        taught(benchmark, [TeacherPair("qa", "elsewhere", "x", "d")], encoder)


def test_cross_fitted_views_use_the_network_of_the_fold() -> None:
    z = unit(6)
    folds = [{"qa": random_internalizer(seed=s)} for s in (1, 2)]
    views = cross_fitted_views(folds, [0, 1, 0, 1, 1, 0], z)
    assert np.allclose(views["qa"][[0, 2, 5]], folds[0]["qa"](z)[[0, 2, 5]], atol=1e-6)
    assert np.allclose(views["qa"][[1, 3, 4]], folds[1]["qa"](z)[[1, 3, 4]], atol=1e-6)


def test_internalized_views_come_in_their_order() -> None:
    nets = {name: random_internalizer(seed=i) for i, name in enumerate(("zebra", "summary", "qa", "audience"))}
    assert list(internalized(nets, unit(3))) == ["qa", "summary", "audience", "zebra"]


# ------------------------------------------------------------------ benchmarks


def write_benchmark(folder: Path, split: str = "test") -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(
        "".join(f'{{"_id": "d{i}", "title": "", "text": "t {i}"}}\n' for i in range(9))
    )
    (folder / "queries.jsonl").write_text("".join(f'{{"_id": "q{i}", "text": "t {i}"}}\n' for i in range(4)))
    rows = "".join(f"q{i}\td{i}\t1\n" for i in range(4))
    (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    return folder


def test_a_benchmark_is_found_by_path_or_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_benchmark(tmp_path / "home" / "toy", "dev")
    monkeypatch.delenv("XETRIEVAL_DATA", raising=False)
    assert len(open_benchmark(tmp_path / "home" / "toy").queries) == 4
    with pytest.raises(InputError, match="XETRIEVAL_DATA is not set"):
        open_benchmark("toy")
    monkeypatch.setenv("XETRIEVAL_DATA", str(tmp_path / "home"))
    assert open_benchmark("toy").name == "toy"
    with pytest.raises(InputError, match="nor under XETRIEVAL_DATA"):
        open_benchmark("other")
    (tmp_path / "home" / "toy" / "qrels" / "dev.tsv").unlink()
    with pytest.raises(InputError, match="no judgments"):
        open_benchmark("toy")


def test_samples_keep_judged_documents_and_are_the_same_every_time(tmp_path: Path) -> None:
    whole = open_benchmark(write_benchmark(tmp_path / "toy"))
    small = sample_benchmark(whole, 2, 4, seed=3)
    assert len(small.queries) == 2
    assert len(small.documents) == 4
    assert {d for judged in small.judgments.values() for d in judged} <= {d.id for d in small.documents}
    assert sample_benchmark(whole, 2, 4, seed=3) == small
    assert sample_benchmark(whole) == whole


def test_ir_datasets_are_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("ir_datasets")

    def text(value: str) -> Any:
        return lambda: value

    dataset = SimpleNamespace(
        has_docs=lambda: True,
        has_queries=lambda: True,
        has_qrels=lambda: True,
        docs_iter=lambda: iter(
            [
                SimpleNamespace(doc_id="d1", title="T", text="body", default_text=text("T body")),
                SimpleNamespace(doc_id="d2", default_text=text(" ")),
            ]
        ),
        queries_iter=lambda: iter([SimpleNamespace(query_id="q1", default_text=text("what"))]),
        qrels_iter=lambda: iter([SimpleNamespace(query_id="q1", doc_id="d1", relevance=2)]),
    )
    monkeypatch.setattr(package, "load", lambda name: {"toy": dataset}[name])
    found = open_benchmark("irds:toy")
    assert [(d.id, d.text, d.body) for d in found.documents] == [("d1", "T body", "body")]
    assert found.judgments == {"q1": {"d1": 2}}
    with pytest.raises(InputError, match="no such data set"):
        open_benchmark("irds:other")
    dataset.docs_iter = lambda: (_ for _ in ()).throw(OSError("no network"))
    with pytest.raises(InputError, match=r"cannot be fetched \(no network\)"):
        open_benchmark("irds:toy")


# ------------------------------------------------------------------ the real sets


@pytest.mark.slow
def test_arguana_has_its_own_documents_left_out_and_absent_ones_counted(shared_data: Path) -> None:
    benchmark = sample_benchmark(open_benchmark(shared_data / "arguana"), queries=300)
    whole = open_benchmark(shared_data / "arguana")
    known = {document.id for document in whole.documents}
    absent = [d for judged in whole.judgments.values() for d in judged if d not in known]
    assert len(absent) == 5
    encoder = HashingEncoder(64)
    vectors = BenchmarkVectors(
        encoder.encode_query(benchmark.queries), encoder.encode_document([d.text for d in benchmark.documents])
    )
    ranked = ranking(benchmark, vectors, 10)
    assert not [q for q, rows in zip(benchmark.query_ids, ranked, strict=True) if benchmark.documents[rows[0]].id == q]
    assert len(ndcg10_by_query(benchmark, vectors)) == 300


@pytest.mark.slow
def test_written_texts_belong_to_their_posts(shared_data: Path) -> None:
    documents = read_corpora([shared_data / "stackexchange"])
    lessons = read_teacher(str(shared_data / "teacher" / "texts.jsonl.gz"), documents)
    assert Counter(lesson.aspect for lesson in lessons) == {"summary": 720, "purpose": 720, "qa": 720}
    faults = Counter(
        check(Answer(lesson.target), lesson.source, read_prompt(lesson.aspect)).fault is None for lesson in lessons
    )
    assert faults[False] < 0.02 * len(lessons)  # texts that are known to be good pass the checks
