"""A served index that changes is noticed; an index of vectors alone is searched by vectors, and served."""

from __future__ import annotations

import json
import shutil
import threading
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import CASES, accepted, made, models_loaded_once, refused, run
from conftest import random_explainer, random_sae, unit
from index_data import SMALL, build_small, records, write_corpus

pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
from starlette.testclient import TestClient

from xetrieval.errors import ForeignVectorsWarning
from xetrieval.explain import Explainer
from xetrieval.index import BuildConfig, Corpus, Index, build_index, open_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.labelled import IndexTarget
from xetrieval.labels.relabel import NewLabel, relabel
from xetrieval.serve import service
from xetrieval.serve.app import create_app
from xetrieval.steer import SteeringProfile


def client_of(folder: Path) -> TestClient:
    opened = open_index(folder)
    app = create_app({"toy": opened}, opened.explainer)
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


def ids(client: TestClient, **body: Any) -> list[str]:
    answer = client.post("/v1/search", json={"k": 100, **body})
    assert answer.status_code == 200, answer.text
    return [hit["doc_id"] for hit in answer.json()["hits"]]


def documents(client: TestClient) -> int:
    return int(client.get("/v1/health").json()["indexes"][0]["documents"])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOKS_EVERY", 0.0)


@pytest.mark.slow
def test_a_served_index_shows_labels_that_changed(tmp_path: Path, at_once: None) -> None:
    folder = build_small(tmp_path, 30)
    with client_of(folder) as client:
        label = lambda: client.get("/v1/features/3").json()["feature"]["label"]  # noqa: E731
        assert label() == "label 3"
        relabel(IndexTarget(folder), [NewLabel(3, "salt and pepper", "worksheet:Ada")])
        assert label() == "salt and pepper"


@pytest.mark.slow
def test_a_served_index_that_changes_is_noticed_without_a_restart(tmp_path: Path, at_once: None) -> None:
    folder = build_small(tmp_path, 30)
    with client_of(folder) as client:
        assert "d4" in ids(client, query="word1 word2")
        report = client.get("/v1/report").json()
        delete_documents(folder, ["d4"])
        assert "d4" not in ids(client, query="word1 word2")
        assert documents(client) == 29
        assert client.get("/v1/documents", params={"id": "d4"}).status_code == 404
        more = write_corpus(tmp_path / "more.jsonl", [{**r, "_id": f"x{r['_id']}"} for r in records(20)])
        build_index(Corpus((more,)), random_explainer(), folder, BuildConfig(shard_rows=64, block=16, adding=True))
        assert documents(client) == 49
        assert client.get("/v1/report").json()["documents"] == 49 != report["documents"]
        shutil.rmtree(folder)
        assert documents(client) == 49  # half way through a rebuild what is open answers
        build_index(Corpus((more,)), random_explainer(), folder, SMALL)
        assert documents(client) == 20
        assert sorted(ids(client, query="word1 word2")) == sorted(f"xd{n}" for n in range(20))


def test_an_index_whose_folder_is_gone_is_refused_within_seconds(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    folder, other = build_small(tmp_path, 20), build_small(tmp_path / "other", 10)
    opened = open_index(folder)
    app = create_app({"toy": opened, "other": open_index(other)}, opened.explainer)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        shutil.move(folder, tmp_path / "away")
        assert len(ids(client, query="word1")) == 20  # it may be on its way back: a rebuild
        monkeypatch.setattr(service, "GONE_AFTER", 0.0)
        answer = client.post("/v1/search", json={"query": "word1"})
        assert answer.status_code == 404
        assert "index toy: its folder is gone" in answer.json()["error"]
        assert [one["name"] for one in client.get("/v1/health").json()["indexes"]] == ["other"]
        shutil.move(tmp_path / "away", folder)
        assert len(ids(client, query="word1")) == 20


def test_an_index_that_is_overwritten_in_place_is_opened_again_or_refused(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    folder, new = build_small(tmp_path, 60), build_small(tmp_path / "new", 20)
    with client_of(folder) as client:
        assert len(ids(client, query="word1 word2")) == 60
        for path in [p for p in new.rglob("*") if p.is_file()]:
            (folder / path.relative_to(new)).parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(new)).write_bytes(path.read_bytes())  # the same inodes: what is mapped shrinks
        assert len(ids(client, query="word1 word2")) == 20
        vectors = next(folder.rglob("vectors.f32"))
        vectors.write_bytes(vectors.read_bytes()[:400])
        answer = client.post("/v1/search", json={"query": "word1 word2"})
        assert answer.status_code >= 400
        assert "overwritten while the server had it open" in answer.text


def test_while_an_index_is_opened_anew_what_is_open_answers(
    tmp_path: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (open_index(build_small(tmp_path / name, 20)) for name in ("one", "two"))
    served = service.Service({"one": one, "two": two}, one.explainer, tmp_path / "profiles")
    begun, go_on, got = threading.Event(), threading.Event(), []

    def slow(folder: Path) -> Index:
        begun.set()
        assert go_on.wait(60)
        return open_index(folder)

    monkeypatch.setattr(service, "open_index", slow)
    delete_documents(one.folder, ["d4"])
    opening = threading.Thread(target=lambda: got.append(served.index("one")))
    opening.start()
    assert begun.wait(60)
    others = threading.Thread(target=lambda: got.extend(served.index(name) for name in ("two", "one")))
    others.start()
    others.join(10)
    answered = list(got)
    go_on.set()
    opening.join(60)
    others.join(60)
    assert [index.folder for index in answered] == [two.folder, one.folder]
    assert len(answered[1]) == 20
    assert len(got[2]) == len(served.index("one")) == 19


def test_looks_are_seconds_apart_not_minutes() -> None:
    assert 0 < service.LOOKS_EVERY <= 2


# ---------------------------------------------------------------------- vectors alone


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An explainer and an index that never saw a text."""
    home = tmp_path_factory.mktemp("alone")
    rows = unit(300)
    np.save(home / "v.npy", rows)
    np.save(home / "q.npy", rows[7:8])
    np.save(home / "two.npy", rows[:2])
    corpus = write_corpus(home / "ids.jsonl", [{"_id": str(n), "text": str(n)} for n in range(300)])
    fitted = ("fit", corpus, "--encoder", f"vectors:{home / 'v.npy'}", "-F", 32, "--l0", 4, "--epochs", 1)
    accepted(run(*fitted, "--output", home / "made"))
    accepted(run("index", "build", "--vectors", home / "v.npy", "-x", home / "made", "--output", home / "index"))
    return home


@pytest.mark.slow
def test_an_index_of_vectors_alone_is_searched_by_a_vector(alone: Path) -> None:
    found = json.loads(
        accepted(
            run("search", alone / "index", "--query-vector", alone / "q.npy", "--explain", "--format", "json")
        ).stdout
    )
    assert found["hits"][0]["doc_id"] == "7"
    assert found["hits"][0]["score"] == pytest.approx(1, abs=1e-5)
    assert found["hits"][0]["explanation"]["terms"]
    why = accepted(run("why", alone / "index", "7", "--query-vector", alone / "q.npy", "--format", "json"))
    assert json.loads(why.stdout)["rank"] == 1
    by_words = refused(run("search", alone / "index", "bread"))
    assert "has no encoder" in by_words
    refused(run("search", alone / "index", "bread", "--query-vector", alone / "q.npy"), "not both")
    refused(run("search", alone / "index"), "--query-vector")
    refused(run("search", alone / "index", "--query-vector", alone / "two.npy"), "2 vectors")
    refused(run("search", alone / "index", "--query-vector", alone / "q.npy", "--by", "bm25"), "cannot be combined")


def test_an_index_of_vectors_alone_is_served(alone: Path) -> None:
    vector = np.load(alone / "q.npy")[0].tolist()
    with client_of(alone / "index") as client:
        assert documents(client) == 300
        assert ids(client, vector=vector, k=3)[0] == "7"
        why = client.post("/v1/why", json={"vector": vector, "doc_id": "7"})
        assert why.json()["rank"] == 1, why.text
        assert client.get("/v1/features").json()["total"] == 32
        for body in ({"query": "bread"}, {}, {"query": "bread", "vector": vector}, {"vector": vector[:5]}):
            answer = client.post("/v1/search", json=body)
            assert answer.status_code == 400, answer.text
            assert set(answer.json()) == {"error"}
        assert client.post("/v1/explain", json={"query": "a", "document": "b"}).status_code == 400


def test_a_search_by_vector_loads_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_small(tmp_path, 30)
    np.save(tmp_path / "q.npy", open_index(folder).vectors(np.array([5])))

    def closed(_: Explainer) -> None:
        raise AssertionError("an encoder was opened")

    monkeypatch.setattr(Explainer, "encoder", property(closed))
    done = accepted(run("search", folder, "--query-vector", tmp_path / "q.npy", "-k", 1, "--format", "json"))
    assert json.loads(done.stdout)["hits"][0]["doc_id"] == "d5"


@pytest.mark.slow
def test_the_case_of_a_search_by_vector(tmp_path: Path) -> None:
    with models_loaded_once():
        folder = made("vectors", tmp_path)
        done = run(
            "index", "build", folder / "corpus.jsonl", "--vectors", folder / "ok.npy", "--output", tmp_path / "ix"
        )
        accepted(done)
    found = accepted(
        run("search", tmp_path / "ix", "--query-vector", folder / "query1.npy", "-k", 1, "--format", "json")
    )
    hit = json.loads(found.stdout)["hits"][0]
    assert hit["doc_id"] == "d0"
    assert hit["score"] == pytest.approx(0.4346, abs=1e-3)
    assert CASES.is_dir()


def test_a_query_vector_of_another_model_is_named_at_every_door(tmp_path: Path) -> None:
    toy = random_explainer()
    explainer = replace(
        toy, sae=random_sae(16, k=3), features=toy.features[:16], metrics={"original": {"cosine": 0.9, "fvu": 0.2}}
    )
    build_index(Corpus((write_corpus(tmp_path / "c.jsonl", records(40)),)), explainer, tmp_path / "i")
    index = open_index(tmp_path / "i")
    directions = index.explainer.sae.decoder_weight.T
    foreign, right = np.random.default_rng(1).standard_normal(64), directions[3] + directions[5] + directions[9]
    for vector, named in ((foreign, True), (right, False)):
        np.save(tmp_path / "q.npy", vector.astype(np.float32))
        for call in (("search", tmp_path / "i"), ("why", tmp_path / "i", "d3")):
            done = accepted(run(*call, "--query-vector", tmp_path / "q.npy"))
            assert ("query vector: probably not from" in done.stderr) is named, done.stderr
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            index.search(vector, k=1)
            index.why(vector, "d3")
            with client_of(tmp_path / "i") as client:
                answer = client.post("/v1/search", json={"vector": vector.tolist(), "k": 1}).json()
        assert sum(issubclass(one.category, ForeignVectorsWarning) for one in caught) >= 2 * named
        assert bool(answer["notes"]) is named


def test_a_profile_of_an_earlier_dictionary_is_deleted_unless_another_index_has_it(tmp_path: Path) -> None:
    first = open_index(build_small(tmp_path, 20))
    before, own = first.explainer, first.explainer.sae
    newer = replace(own, encoder_bias=own.encoder_bias + 0.01)
    relearned = replace(before, sae=newer, provenance={**before.provenance, "earlier": [own.digest]})
    second, profiles = first.with_explainer(relearned), tmp_path / "profiles"
    for digest in (own.digest, newer.digest):
        (profiles / digest).mkdir(parents=True)
        SteeringProfile({3: 0.5}, digest).save(profiles / digest / "less.json")
    both = service.Service({"first": first, "second": second}, before, profiles)  # type: ignore[dict-item]
    both.discard("less", "second")
    assert [one.name for one in both.profiles("first").profiles] == ["less"]
    with pytest.raises(service.NotFound, match="of this index"):
        both.discard("less", "second")
    alone = service.Service({"second": second}, relearned, profiles)  # type: ignore[dict-item]
    assert alone.discard("less").profiles == ()
    assert not list(profiles.rglob("*.json"))
