"""Pushing a hit down and bringing a document up: every figure of a proposal is what a search with its profile shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer, random_sae, unit
from index_data import build_small

from xetrieval.errors import InputError
from xetrieval.evaluate.profile_test import profile_test
from xetrieval.index import Corpus, Index, open_index
from xetrieval.index.ask.others import OtherQueries, harm_of, ndcg_of, top_rows
from xetrieval.index.ask.push import Push, push
from xetrieval.steer import Removal, SteeringProfile
from xetrieval.steer.trials import Candidates, Trials, rank_biased_overlap, rank_of

SAE = random_sae()
QUERY = "word1 word2 word3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("push"), 300)


@pytest.fixture
def index(folder: Path) -> Index:
    return open_index(folder)


def overlap_by_definition(one: list[int], two: list[int]) -> float:
    k = len(one)
    agreement = [len(set(one[:d]) & set(two[:d])) / d for d in range(1, k + 1)]
    return 0.1 / 0.9 * sum(a * 0.9**d for d, a in enumerate(agreement, 1)) + agreement[-1] * 0.9**k


def test_rank_biased_overlap_is_by_definition() -> None:
    rng = np.random.default_rng(0)
    old = list(range(30))
    for new in (old, old[::-1], list(range(30, 60)), rng.permutation(60)[:30].tolist(), [1, 0, *old[2:]]):
        places = np.array([old.index(row) if row in old else 30 for row in new])
        assert rank_biased_overlap(places) == pytest.approx(overlap_by_definition(old, new))
        harm = harm_of(np.array([old]), np.array([new]))[0]
        assert harm == pytest.approx(1 - overlap_by_definition(old, new))


def test_trials_score_as_the_removal_does() -> None:
    q, z = unit(1, seed=4)[0], unit(50, seed=5)
    candidates = Candidates.of(SAE, np.array([3, 9, 40, 77], np.int32))
    trials = Trials.of(candidates, np.array([[0.0, 0.5], [2.0, 3.0], [0.0, 0.5], [0.4, 2.0]]), 3)
    assert len(trials.factors) == 4 * 2 + 6 * 4 + 4 * 8
    assert set(trials.used.tolist()) == {1, 2, 3}
    scores = candidates.pool(q, z, z.astype(np.float64) @ q).tried(trials)
    for row in range(len(scores)):
        factors = dict(zip([3, 9, 40, 77], trials.factors[row].tolist(), strict=True))
        wanted = Removal.of(SAE, factors).edit(z) @ q.astype(np.float64)
        np.testing.assert_allclose(scores[row], wanted, atol=1e-6)
    assert rank_of(scores, 7)[0] == 1 + (scores[0] > scores[0, 7]).sum()


def check(index: Index, found: Push, good: tuple[str, ...] = ()) -> None:
    plain = index.search(found.query, len(index))
    before = {hit.doc_id: hit.rank for hit in plain}
    assert found.rank == before[found.doc_id]
    others = OtherQueries.passages(index)
    for one in found.proposals:
        assert 1 <= len(one.features) <= 3
        assert all(0 <= feature.factor <= 3 for feature in one.features)
        after = {hit.doc_id: hit.rank for hit in index.search(found.query, len(index), steer=one.profile)}
        assert one.rank_after == after[found.doc_id]
        assert (one.rank_after > found.rank) == (found.direction == "down")
        assert one.rank_after != found.rank
        top = {name for name, rank in before.items() if rank <= 10} - {found.doc_id}
        assert set(one.hits_lost) == {name for name in top if after[name] > 10}
        assert len(one.hits_lost) <= 3
        for name in good:
            ranks = (sum(r[x] < r[name] for x in before if x != found.doc_id) for r in (before, after))
            assert next(ranks) >= next(ranks)
        assert one.harm == pytest.approx(profile_test(index, one.profile, others).harm, abs=1e-4)
        assert one.harm <= 0.05
        assert one.in_scope == (20 if one.least_cosine is None else sum(map(one.profile.scope.has, others.vectors)))
    assert json.loads(json.dumps(found.to_dict()))["rank"] == found.rank


@pytest.mark.parametrize("place", [0, 2, 7])
def test_a_hit_is_pushed_down(index: Index, place: int) -> None:
    hits = index.search(QUERY, 10)
    found = index.push_down(QUERY, hits[place].doc_id)
    assert found.proposals, found.note
    check(index, found)
    assert found.note.startswith(f"rank {place + 1} to {found.proposals[0].rank_after}")


@pytest.mark.parametrize("place", [11, 24, 40])
def test_a_document_is_brought_up(index: Index, place: int) -> None:
    found = index.bring_up(QUERY, index.search(QUERY, place + 1)[place].doc_id)
    assert found.proposals, found.note
    check(index, found)


def test_good_hits_do_not_fall(index: Index) -> None:
    hits = index.search(QUERY, 30)
    good = tuple(hit.doc_id for hit in (*hits[1:4], hits[25]))
    for found in (index.push_down(QUERY, hits[0].doc_id, good=good), index.bring_up(QUERY, hits[15].doc_id, good=good)):
        check(index, found, good)
    with pytest.raises(InputError, match="marked good"):
        index.push_down(QUERY, hits[0].doc_id, good=[hits[0].doc_id])


def test_no_harmless_change_is_an_answer(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    last = index.search(QUERY, 300)[-1].doc_id
    found = index.push_down(QUERY, last)
    assert found.proposals == ()
    assert found.note == "it is already the last of 300 documents"
    second = index.search(QUERY, 2)[1].doc_id
    monkeypatch.setattr("xetrieval.index.ask.push.MOST_LOST", -1)  # nothing fits
    found = push(index, QUERY, second, "down", others=OtherQueries.of(index, ["word4"]))
    assert found.proposals == ()
    assert found.note.startswith("no harmless change does it")
    assert index.bring_up(QUERY, index.search(QUERY, 1)[0].doc_id).proposals == ()
    strict = push(index, QUERY, index.search(QUERY, 3)[2].doc_id, "down", most_harm=0.0)
    assert all(one.harm == 0 for one in strict.proposals)


def test_a_vector_is_a_query_too(index: Index) -> None:
    q = index.query_vector(QUERY)[0]
    name = index.search(QUERY, 5)[4].doc_id
    by_text, by_vector = index.push_down(QUERY, name), index.push_down(q, name)
    assert [one.features for one in by_text.proposals] == [one.features for one in by_vector.proposals]


def test_judged_other_queries_give_ndcg(index: Index) -> None:
    queries = [f"word{n} word{n + 1}" for n in range(4, 40)]
    judged = [{index.search(query, 3)[2].doc_id: 1, "absent": 2} for query in queries]
    others = OtherQueries.of(index, queries, judged)
    assert len(others.vectors) == len(others.judgments) == 20
    rows = top_rows(index, others.vectors, others.own, 30)
    np.testing.assert_allclose(ndcg_of(index, others, rows), 0.5 / (2 + 1 / np.log2(3)))
    found = index.push_down(QUERY, index.search(QUERY, 2)[1].doc_id, others=others)
    assert all(isinstance(one.ndcg_change, float) for one in found.proposals)
    assert (found.drawn, found.other_queries) == (False, 20)
    with pytest.raises(InputError, match="36 queries for 1 sets of judgments"):
        OtherQueries.of(index, queries, judged[:1])
    with pytest.raises(InputError, match="at least one"):
        OtherQueries.of(index, [])


@pytest.mark.parametrize("kind", ["scale", "project"])
def test_a_profile_is_tested_on_judged_queries(index: Index, kind: str) -> None:
    queries = [f"word{n} word{n + 1}" for n in range(4, 24)]
    others = OtherQueries.of(index, queries, [{index.search(query, 2)[1].doc_id: 1} for query in queries], most=None)
    nothing = profile_test(index, SteeringProfile({3: 1.0}, SAE.digest, kind=kind), others)  # type: ignore[arg-type]
    assert (nothing.harm, nothing.changed, nothing.gain) == (0.0, 0, 0.0)
    common = {int(j): 0.0 for j in np.argsort(-index.frequency)[:5]}
    made = profile_test(index, SteeringProfile(common, SAE.digest, kind=kind), others)  # type: ignore[arg-type]
    assert made.harm > 0
    assert made.changed > 0
    assert made.ndcg10_steered is not None
    assert len(made.sentences) == 2


def test_an_emptied_index_has_no_rankings_to_compare(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 3)
    (tmp_path / "log.jsonl").write_text('{"_id": "1", "text": "word1 word9"}\n')
    test = ("steer", "test", folder, "--set", "#3=0", "--queries", tmp_path / "log.jsonl")
    for name in ("d0", "d1"):
        accepted(run("index", "delete", folder, name))
    accepted(run(*test))  # one document is enough
    assert open_index(folder).push_down("word1", "d2").proposals == ()
    accepted(run("index", "delete", folder, "d2"))
    refused(run(*test), "no documents: there is no ranking to compare")
    assert "per document" not in accepted(run("index", "info", folder)).stdout


def test_no_document_has_half_a_character_in_its_id(index: Index) -> None:
    half = "velvet\ud800"
    for look_up in (
        lambda: index.why(QUERY, half),
        lambda: index.why(QUERY, index.search(QUERY, 1)[0].doc_id, over=half),
        lambda: index.push_down(QUERY, half),
        lambda: index.bring_up(QUERY, half),
        lambda: index.text_edits(QUERY, half),
    ):
        with pytest.raises(InputError, match=r"no document 'velvet\\ud800'"):
            look_up()
    assert index.rows_of(half) == []


def test_values_of_another_type_are_refused_in_words(index: Index) -> None:
    profile: Any = SteeringProfile({3: 0.0}, SAE.digest)
    for call in (
        *(lambda one=one: index.nuisances(one) for one in (5, [["site"]], np.array(5))),
        *(lambda one=one: Corpus(one) for one in (5, None)),
        *(lambda one=one: profile.merged(one) for one in ({}, None)),
        lambda: profile.check("x"),
    ):
        with pytest.raises(InputError):
            call()


def test_the_commands_print_and_save_proposals(folder: Path, index: Index, tmp_path: Path) -> None:
    name = index.search(QUERY, 4)[3].doc_id
    saved = tmp_path / "p.json"
    told = accepted(run("steer", "down", folder, QUERY, name, "--format", "json", "--save", saved))
    found = index.push_down(QUERY, name)
    assert json.loads(told.stdout) == json.loads(json.dumps(found.to_dict()))
    assert SteeringProfile.load(saved, index.explainer.sae) == found.proposals[0].profile
    shown = accepted(run("steer", "down", folder, QUERY, name)).stdout
    assert f"{name}  rank 4 of 300" in shown
    assert f"4 → {found.proposals[0].rank_after}" in shown
    (tmp_path / "log.jsonl").write_text("".join(f'{{"_id": "{n}", "text": "word{n} word9"}}\n' for n in range(30)))
    up = index.search(QUERY, 14)[13].doc_id
    told = accepted(run("steer", "up", folder, QUERY, up, "--queries", tmp_path / "log.jsonl", "--good", name))
    assert "20 other queries" in told.stdout
    assert (
        "in scope: "
        in accepted(run("steer", "test", folder, "--profile", saved, "--queries", tmp_path / "log.jsonl")).stdout
    )
    accepted(run("steer", "apply", folder, QUERY, "--set", "#3=0", "--kind", "project", "--like", QUERY,
                 "--note", "why", "--save", tmp_path / "q.json"))  # fmt: skip
    assert index.profile(tmp_path / "q.json").note == "why"
    refused(run("steer", "apply", folder, QUERY, "--set", "#3=0", "--note", "why"), "--note needs --save")
    assert "× 0" in accepted(run("steer", "diff", folder, saved, tmp_path / "q.json")).stdout
    assert "they cannot be merged" in refused(
        run("steer", "merge", folder, saved, tmp_path / "q.json", "--output", tmp_path / "m.json")
    )
    accepted(run("steer", "merge", folder, saved, saved, "--output", tmp_path / "m.json"))
    assert SteeringProfile.load(tmp_path / "m.json", index.explainer.sae).factors == found.proposals[0].profile.factors
    assert "no document" in refused(run("steer", "down", folder, QUERY, "absent"))


def test_http_answers_what_the_library_answers(folder: Path, index: Index, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from starlette.testclient import TestClient

    from xetrieval.serve.app import create_app

    name, good = (index.search(QUERY, 4)[place].doc_id for place in (3, 1))
    app = create_app({"toy": index}, random_explainer(), profiles=tmp_path / "profiles")
    with TestClient(app, base_url="http://localhost") as client:
        body = {"query": QUERY, "doc_id": name, "good": [good]}
        answer = client.post("/v1/steering/push", json=body)
        wanted = json.loads(json.dumps(index.push_down(QUERY, name, good=[good]).to_dict()))
        assert answer.json() == wanted
        others = [f"word{n}" for n in range(5)]
        up = client.post("/v1/steering/push", json={**body, "direction": "up", "others": others}).json()
        assert (up["direction"], up["other_queries"]) == ("up", 5)
        assert client.post("/v1/steering/push", json={**body, "doc_id": "absent"}).status_code == 404


def test_the_query_itself_is_not_one_of_the_other_queries(index: Index) -> None:
    doc_id = index.search(QUERY, 1)[0].doc_id
    alone, with_it = (
        push(index, QUERY, doc_id, "down", others=OtherQueries.of(index, texts))
        for texts in (["word4 word5"], [QUERY, "word4 word5"])
    )
    assert with_it == alone
    with pytest.raises(InputError, match="at least one other query"):
        push(index, QUERY, doc_id, "down", others=OtherQueries.of(index, [QUERY]))


def test_one_text_is_not_a_list_of_its_letters(index: Index, folder: Path) -> None:
    doc_id = index.search(QUERY, 1)[0].doc_id
    with pytest.raises(InputError, match="got one str"):
        OtherQueries.of(index, "moon")
    with pytest.raises(InputError, match="got one str"):
        push(index, QUERY, doc_id, "down", good="d1")
    with pytest.raises(InputError, match="OtherQueries"):
        push(index, QUERY, doc_id, "down", others=["moon"])  # type: ignore[arg-type]
    refused(run("steer", "down", folder, QUERY, doc_id, "--take", "2"), "--take needs --save")


def test_nothing_moves_the_first_document_up(index: Index) -> None:
    assert index.bring_up(QUERY, index.search(QUERY, 1)[0].doc_id).note == "it is already the first of 300 documents"


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ({"filters": "site=sea"}, "not list"),
        ({"examples": [{"text": "a", "vector": [1e308] * 64}]}, "length 1"),
        ({"examples": [{"text": "a", "vector": [0.0] * 64}]}, "length 1"),
        ({"cosine": 2}, "not a cosine"),
    ],
)
def test_a_scope_that_makes_no_sense_is_refused(
    scope: dict[str, object], words: str, index: Index, tmp_path: Path
) -> None:
    sae = index.explainer.sae
    path = tmp_path / "profile.json"
    path.write_text(json.dumps({"factors": {"1": 0}, "sae_digest": sae.digest, "kind": "project", "scope": scope}))
    with pytest.raises(InputError, match=words):
        SteeringProfile.load(path, sae)
    with pytest.raises(InputError, match="give a Scope"):
        SteeringProfile({1: 0.0}, sae.digest, scope="all")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="give a SteeringProfile"):
        index.explainer.steer_query(np.ones(sae.dimension, np.float32), {1: 0})  # type: ignore[arg-type]


def test_a_query_like_another_is_in_the_scope_of_its_own_proposals(index: Index) -> None:
    q = index.query_vector(QUERY)[0]
    copies = unit(3, seed=9) * 0.001 + q
    others = OtherQueries.of(index, copies / np.linalg.norm(copies, axis=1, keepdims=True))
    found = push(index, q, index.search(q, 5)[4].doc_id, "up", others=others, most_harm=1.0)
    assert found.proposals
    assert all(one.profile.scope.has(q) for one in found.proposals)


def test_only_documents_of_the_first_ranks_are_pushed_down(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.index.ask.push.POOL", 50)
    with pytest.raises(InputError, match="has rank 60; only the first 49 can be pushed down"):
        index.push_down(QUERY, index.search(QUERY, 60)[59].doc_id)
