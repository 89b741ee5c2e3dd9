"""Features taken out of a whole index: the vectors, the explanations, documents added later, kills, refusals."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer, unit
from index_data import ADDING, SMALL, _counted, _lives, build_small, content, records, write_corpus
from test_own_dictionary import OWN
from test_own_dictionary import records as own_records

from xetrieval import load
from xetrieval.arrays import l2norm
from xetrieval.encoders import HashingEncoder, innermost, token_vectors
from xetrieval.errors import DamagedError, InputError, LostFeaturesWarning, MismatchError
from xetrieval.evaluate.retrieval import ndcg10_of_rankings
from xetrieval.index import Corpus, Index, build_index, open_index, remove_features
from xetrieval.index.build.compact import compact_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.relearn import relearn_index
from xetrieval.index.build.verify import verify_index
from xetrieval.index.store.same_encoder import check_same_encoder
from xetrieval.steer import Removal, Scope, SteeringProfile

GONE = (36, 55, 113)
QUERY = "word1 word2 word3"


def profile_of(index: Index, *features: int) -> SteeringProfile:
    return SteeringProfile(dict.fromkeys(features or GONE, 0.0), index.explainer.sae.digest, kind="project")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 150 documents, and the same without three features."""
    home = tmp_path_factory.mktemp("removed")
    folder = build_small(home, 150)
    remove_features(folder, profile_of(open_index(folder)), home / "new")
    return home


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home"


def all_vectors(index: Index) -> np.ndarray:
    return index.vectors(np.arange(index.manifest.rows))


def test_stored_vectors_lose_the_features_and_the_index_stays(home: Path, tmp_path: Path) -> None:
    old, new = open_index(home / "index"), open_index(home / "new")
    z, sae = all_vectors(old).astype(np.float64), old.explainer.sae
    W = sae.directions[list(GONE)].astype(np.float64)
    inside = (z - sae.decoder_bias) @ np.linalg.pinv(W) @ W  # the orthogonal projection on the span
    np.testing.assert_allclose(all_vectors(new), l2norm(z - inside), atol=2e-6)
    again = build_small(tmp_path, 150)
    assert content(again) == content(home / "index")
    assert [one.feature_id for one in new.manifest.explainer.removed] == list(GONE)
    assert [one.label for one in new.manifest.explainer.removed] == [old.explainer.features[j].label for j in GONE]
    assert verify_index(home / "new").unknown == ()
    assert new.frequency[list(GONE)].sum() == 0
    assert old.frequency[list(GONE)].min() > 0


def test_scores_are_explained_without_the_features(home: Path) -> None:
    old, new = open_index(home / "index"), open_index(home / "new")
    q = new.query_vector(QUERY)[0]
    np.testing.assert_allclose(q, old.query_vector(QUERY)[0])  # queries stay as they are
    for mode in ("dense", "sparse"):
        for hit in new.search(QUERY, 20, mode):
            made = hit.explanation
            total = made.bias + made.remainder + sum(term.share for term in made.terms)
            assert total == pytest.approx(hit.score, abs=1e-5)
            assert not {j for term in made.terms for j in term.ids} & set(GONE)
            if mode == "dense":
                assert hit.score == pytest.approx(float(q @ new.vectors(np.array([hit.row]))[0]), abs=1e-6)
    why = new.why(QUERY, "d3", counterfactual=True, evidence=3)
    assert why.explanation.score == pytest.approx(float(q @ new.vectors(np.array([new.row_of("d3")]))[0]), abs=1e-6)


def test_the_explainer_alone_says_the_same(home: Path) -> None:
    new = open_index(home / "new")
    explainer = load(home / "new" / "explainer", cache=False)
    made = explainer.explain(QUERY, new.document(7).text)
    hit = next(hit for hit in new.search(QUERY, len(new)) if hit.row == 7)
    assert made.score == pytest.approx(hit.score, abs=1e-6)
    assert [term.feature_id for term in made.terms] == [term.feature_id for term in hit.explanation.terms]
    check_same_encoder(new)
    z = explainer.encoder.encode_document([new.document(7).text])[0]
    tokens = token_vectors(explainer.encoder, new.document(7).text, "document")
    assert tokens is not None
    np.testing.assert_allclose(l2norm(tokens.vectors.mean(axis=0)[None])[0], z, atol=1e-5)
    assert isinstance(innermost(explainer.encoder), HashingEncoder)
    assert explainer.with_encoder(explainer.encoder).encoder.encode_document(["word1"]) == pytest.approx(
        explainer.encoder.encode_document(["word1"])
    )
    digests = {explainer.digest, open_index(home / "index").explainer.digest, replace(explainer, removal=None).digest}
    assert len(digests) == 3


@pytest.mark.parametrize("encoded", [False, True])
def test_documents_added_later_lose_the_same_features(copy: Path, *, encoded: bool) -> None:
    rows = records(170)[150:]
    corpus = Corpus((write_corpus(copy / "more.jsonl", rows),))
    if encoded:
        np.save(copy / "more.npy", HashingEncoder(64).encode_document([f"{r['title']}\n{r['text']}" for r in rows]))
        corpus = replace(corpus, vectors=copy / "more.npy")
    for name in ("index", "new"):
        build_index(corpus, load(copy / name / "explainer", cache=False), copy / name, ADDING)
    remove_features(copy / "index", profile_of(open_index(copy / "index")), copy / "late")
    new, late = open_index(copy / "new"), open_index(copy / "late")
    assert len(new) == len(late) == 170
    np.testing.assert_allclose(all_vectors(new), all_vectors(late), atol=1e-6)
    for row in range(150, 170):
        for view in new.manifest.views:
            one, other = (index.codes(np.array([row]), view) for index in (new, late))
            assert sorted(one.support(0)) == sorted(other.support(0))
    assert new.manifest.explainer.removed == late.manifest.explainer.removed


def test_the_new_index_is_maintained_like_any_other(copy: Path) -> None:
    delete_documents(copy / "new", ["d3", "d4"])
    compact_index(copy / "new")
    new = open_index(copy / "new")
    assert len(new) == 148
    assert [one.feature_id for one in new.explainer.removed] == list(GONE)
    remove_features(copy / "index", profile_of(open_index(copy / "index"), 3), copy / "other")
    delete_documents(copy / "index", [f"d{i}" for i in range(40)])
    remove_features(copy / "index", profile_of(open_index(copy / "index")), copy / "less")
    less = open_index(copy / "less")
    assert len(less) == 110
    assert less.find("d3") is None
    assert {hit.doc_id for hit in less.search(QUERY, 200)} == {f"d{i}" for i in range(40, 150)}


def test_features_learned_again_keep_the_removal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 30)
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", own_records(200)),))
    build_index(corpus, random_explainer(), tmp_path / "index", OWN)
    index = open_index(tmp_path / "index")
    gone = np.argsort(-index.frequency)[:2].tolist()
    remove_features(tmp_path / "index", profile_of(index, *gone), tmp_path / "new")
    before = open_index(tmp_path / "new")
    assert before.learned_here
    relearn_index(tmp_path / "new")
    after = open_index(tmp_path / "new")
    assert after.manifest.explainer.removed == before.manifest.explainer.removed
    assert {one.feature_id for one in after.explainer.removed} == set(gone)
    assert after.explainer.removed == before.explainer.removed, "with the labels that they had"
    assert any(one.label for one in before.explainer.removed)
    assert after.explainer.sae.digest != before.explainer.sae.digest
    assert after.explainer.sae.retired[gone].all()
    np.testing.assert_array_equal(all_vectors(after), all_vectors(before))
    z = [index.explainer.encoder.encode_document(["word1 again"]) for index in (after, before)]
    np.testing.assert_array_equal(*z)
    check_same_encoder(after)


def test_profiles_of_the_old_features_still_work(home: Path, tmp_path: Path) -> None:
    old, new = open_index(home / "index"), open_index(home / "new")
    SteeringProfile({2: 0.5, 36: 0.0}, old.explainer.sae.digest, kind="project").save(tmp_path / "p.json")
    with pytest.warns(LostFeaturesWarning, match="features 36 were removed"):
        profile = SteeringProfile.load(tmp_path / "p.json", new.explainer.sae, new.explainer.earlier)
    assert profile.factors == {2: 0.5}
    q = new.query_vector(QUERY)[0].astype(np.float64)
    z = Removal.of(new.explainer.sae, profile.factors).edit(all_vectors(new))
    for hit in new.search(QUERY, 10, steer=profile):
        assert hit.score == pytest.approx(float(q @ z[hit.row]), abs=1e-5)


def test_a_killed_run_is_resumed(home: Path, tmp_path: Path) -> None:
    profile = profile_of(open_index(home / "index"))

    def act(folder: Path) -> object:
        return remove_features(home / "index", profile, folder)

    events, rng, deaths = _counted(act, lambda: None, tmp_path / "count"), random.Random(0), 0
    wanted = content(home / "new")
    for number in range(6):
        folder = tmp_path / f"killed{number}"
        while not _lives(partial(act, folder), rng.randint(1, events)):
            deaths += 1
            if (folder / "config.json").is_file():
                open_index(folder)
            else:
                with pytest.raises((InputError, DamagedError)):
                    open_index(folder)
        act(folder)
        assert content(folder) == wanted
    assert deaths >= 6


def test_a_changed_index_or_profile_begins_again(copy: Path) -> None:
    folder, index = copy / "killed", copy / "index"
    profile = profile_of(open_index(index))
    events = _counted(lambda folder: remove_features(index, profile, folder), lambda: None, copy / "count")
    assert not _lives(partial(remove_features, index, profile, folder), events * 3 // 4)
    assert not (folder / "config.json").exists()
    delete_documents(index, ["d9"])
    remove_features(index, profile_of(open_index(index), 5), folder)
    remove_features(index, profile_of(open_index(index), 5), copy / "fresh")
    assert content(folder) == content(copy / "fresh")


def refusals(index: Index) -> dict[str, tuple[SteeringProfile, type[Exception]]]:
    whole = profile_of(index)
    return {
        "factors of 0": (replace(whole, factors={3: 0.5}), InputError),
        "of the kind project": (replace(whole, kind="scale"), InputError),
        "only for": (replace(whole, scope=Scope(filters=("site=cs",))), InputError),
        "has no features": (replace(whole, factors={}), InputError),
        "no feature 999": (replace(whole, factors={999: 0.0}), InputError),
        "belongs to the autoencoder": (replace(whole, sae_digest="0" * 16), MismatchError),
        "all features": (replace(whole, factors=dict.fromkeys(range(128), 0.0)), InputError),
        "not a dict": ({3: 0.0}, InputError),  # type: ignore[dict-item]
    }


@pytest.mark.parametrize("message", ["factors of 0", "of the kind project", "only for", "has no features"])
def test_profiles_that_change_only_some_documents_are_refused(home: Path, tmp_path: Path, message: str) -> None:
    profile, kind = refusals(open_index(home / "index"))[message]
    with pytest.raises(kind, match=message):
        remove_features(home / "index", profile, tmp_path / "no")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("message", ["no feature 999", "belongs to the autoencoder", "all features", "not a dict"])
def test_impossible_profiles_are_refused(home: Path, tmp_path: Path, message: str) -> None:
    profile, kind = refusals(open_index(home / "index"))[message]
    with pytest.raises(kind, match=message):
        remove_features(home / "index", profile, tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_a_document_that_would_be_empty_is_refused(tmp_path: Path) -> None:
    explainer = random_explainer()
    rows = records(5)
    np.save(tmp_path / "v.npy", np.concatenate([unit(4), explainer.sae.directions[7][None]]))
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),), vectors=tmp_path / "v.npy")
    flat = replace(explainer, sae=replace(explainer.sae, decoder_bias=np.zeros(64, np.float32)))
    build_index(corpus, flat, tmp_path / "index", replace(SMALL, force=True))
    with pytest.raises(InputError, match="nothing is left"):
        remove_features(tmp_path / "index", profile_of(open_index(tmp_path / "index"), 7), tmp_path / "no")
    assert not (tmp_path / "no" / "config.json").exists()


def test_indexes_that_cannot_be_used_are_refused(home: Path, copy: Path) -> None:
    index = open_index(copy / "index")
    with pytest.raises(InputError, match="removed from this index before \\(#36, #55, #113\\)"):
        remove_features(copy / "new", profile_of(open_index(copy / "new"), 3), copy / "third")
    with pytest.raises(InputError, match="already contains an index"):
        remove_features(copy / "index", profile_of(index), copy / "index")
    with pytest.raises(InputError, match="already contains an index"):
        remove_features(copy / "index", profile_of(index, 3), copy / "new")
    with pytest.raises(InputError):
        remove_features(copy / "index", profile_of(index), copy / "index" / "inside")
    (copy / "full").mkdir()
    (copy / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not an index"):
        remove_features(copy / "index", profile_of(index), copy / "full")
    delete_documents(copy / "index", [f"d{i}" for i in range(150)])
    with pytest.raises(InputError, match="every document in it was deleted"):
        remove_features(copy / "index", profile_of(open_index(copy / "index")), copy / "empty")
    assert content(copy / "new") == content(home / "new")


def test_an_index_of_vectors_alone_loses_features_too(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(80))
    build_index(
        Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", replace(SMALL, force=True)
    )
    remove_features(tmp_path / "index", profile_of(open_index(tmp_path / "index")), tmp_path / "new")
    new = open_index(tmp_path / "new")
    expected = Removal.of(open_index(tmp_path / "index").explainer.sae, dict.fromkeys(GONE, 0.0)).unit(unit(80))
    np.testing.assert_allclose(all_vectors(new), expected, atol=1e-6)


def test_the_command_takes_numbers_labels_and_a_profile(copy: Path) -> None:
    index = copy / "index"
    done = accepted(run("index", "remove-features", index, "36", "label 55", "#113", "--output", copy / "out"))
    assert "150 documents without feature 36, label 55 #55, label 113 #113" in done.stderr + done.stdout
    assert content(copy / "out") == content(copy / "new")
    profile_of(open_index(index)).save(copy / "p.json")
    accepted(run("index", "remove-features", index, "--profile", copy / "p.json", "--output", copy / "by-profile"))
    assert content(copy / "by-profile") == content(copy / "new")
    shown = accepted(run("index", "info", copy / "new"))
    assert "label 55 #55" in shown.stdout
    cases: list[tuple[Any, ...]] = [
        (),
        ("nothing",),
        ("999",),
        ("36", "36"),
        ("36=2",),
        ("--profile", copy / "no.json"),
    ]
    for given in cases:
        refused(run("index", "remove-features", index, *given, "--output", copy / "bad"))
        assert not (copy / "bad").exists()
    for twice in (("36", "36"), ("55", "label 55")):
        done = run("index", "remove-features", index, *twice, "--output", copy / "bad")
        refused(done, f"feature {twice[0]} is named twice; name it once")
    refused(run("index", "remove-features", copy / "nowhere", "36", "--output", copy / "bad"))


def test_a_server_keeps_edited_and_plain_documents_apart(home: Path) -> None:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from starlette.testclient import TestClient

    from xetrieval.serve.app import create_app

    indexes = {"old": open_index(home / "index"), "new": open_index(home / "new")}
    client = TestClient(create_app(indexes, indexes["old"].explainer), base_url="http://localhost")
    scores: Callable[[str], dict[str, float]] = lambda name: {  # noqa: E731
        hit["doc_id"]: hit["score"]
        for hit in client.post("/v1/search", json={"index": name, "query": QUERY, "k": 100}).json()["hits"]
    }
    for name, index in indexes.items():
        wanted = {hit.doc_id: hit.score for hit in index.search(QUERY, 100)}
        assert scores(name) == pytest.approx(wanted, abs=1e-6)
        best = index.search(QUERY, 1)[0]
        body = {"index": name, "query": QUERY, "document": best.document.text}
        answer = client.post("/v1/explain", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["score"] == pytest.approx(best.score, abs=1e-6)


def test_the_command_compares_the_rankings_of_both_indexes(copy: Path) -> None:
    old, data = copy / "index", copy / "data"
    (data / "qrels").mkdir(parents=True)
    shutil.copy(copy / "corpus.jsonl", data / "corpus.jsonl")
    queries = {f"q{i}": f"word{i} word{i + 1}" for i in range(12)}
    (data / "queries.jsonl").write_text("".join(json.dumps({"_id": q, "text": t}) + "\n" for q, t in queries.items()))
    lines = "".join(f"{q}\td{i}\t1\n" for i, q in enumerate(queries))
    (data / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    done = accepted(run("index", "remove-features", old, "36", "55", "113", "--output", copy / "out", "--data", data))
    indexes = open_index(old), open_index(copy / "out")
    ranked = [[[hit.doc_id for hit in index.search(text)] for text in queries.values()] for index in indexes]
    judged = [{f"d{i}": 1} for i in range(12)]
    before, after = (100 * float(ndcg10_of_rankings(judged, one).mean()) for one in ranked)
    assert f"NDCG@10 {before:.2f} to {after:.2f}: {after - before:+.2f}" in done.stdout
    changed = sum(set(one) != set(other) for one, other in zip(*ranked, strict=True))
    assert f"other documents in the top 10 of {changed}" in done.stdout
    again = run("index", "remove-features", old, "3", "--output", copy / "no", "--data", data, "--queries", data)
    refused(again)
    assert not (copy / "no").exists()
