"""Removal by projection: equal to editing the vectors, its query form, its line in a score, and its scope."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases_data import refused, run
from conftest import random_sae, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from index_data import build_small

from xetrieval.errors import InputError, MismatchError
from xetrieval.features import LabelledFeature
from xetrieval.index import Index, open_index
from xetrieval.index.ask.others import scope_of
from xetrieval.sae.projection import RIDGE, FeatureSets
from xetrieval.steer import ExampleQuery, Kind, Removal, Scope, SteeringProfile, erase, steer_query

SAE = random_sae()
QUERY = "word1 word2 word3"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_small(tmp_path_factory.mktemp("removal"), 150))


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), factors=st.dictionaries(st.integers(0, 127), st.floats(0, 3), max_size=30))
def test_the_edit_and_its_query_form_are_what_the_equations_say(seed: int, factors: dict[int, float]) -> None:
    q, z = unit(3, seed=seed).astype(np.float64), unit(40, seed=seed + 1).astype(np.float64)
    ids = sorted(j for j, factor in factors.items() if factor != 1)
    W, b = SAE.directions[ids].T.astype(np.float64), SAE.decoder_bias.astype(np.float64)
    D = np.diag([1 - factors[j] for j in ids]).reshape(len(ids), len(ids))
    M = np.linalg.inv(W.T @ W + RIDGE * np.eye(len(ids)))
    edited = np.stack([one - W @ D @ M @ W.T @ (one - b) for one in z])
    removal = Removal.of(SAE, factors)
    np.testing.assert_allclose(removal.edit(z), edited, atol=1e-6)
    np.testing.assert_allclose(removal.query(q), q - (W @ M @ D @ W.T @ q.T).T, atol=1e-6)
    by_query = removal.query(q) @ z.T + removal.constant(q)[:, None]
    np.testing.assert_allclose(by_query, q @ edited.T, atol=1e-6)
    changes = removal.changes(q[0], z)
    np.testing.assert_allclose(changes.sum(axis=1), (q @ edited.T - q @ z.T)[0], atol=1e-6)


def test_the_order_of_the_transpose_matters_with_mixed_factors() -> None:
    q, z = unit(1, seed=1).astype(np.float64)[0], unit(20, seed=2).astype(np.float64)
    removal = Removal.of(SAE, {3: 0.0, 9: 2.5, 40: 0.5})
    wrong = q - q @ removal.directions.T @ removal.inner @ removal.directions
    spread = (z @ wrong) - (removal.edit(z) @ q)
    assert np.ptp(spread) > 1e-3
    assert np.ptp(z @ removal.query(q) - removal.edit(z) @ q) < 1e-12


def test_a_factor_of_zero_is_erasing() -> None:
    z = unit(5, seed=3)
    sets = FeatureSets.of([np.array([3, 9], np.int32)] * 5)
    whole = Removal.of(SAE, {3: 0.0, 9: 0.0, 7: 1.0}).edit(z)
    np.testing.assert_allclose(whole / np.linalg.norm(whole, axis=1, keepdims=True), erase(SAE, z, sets), atol=1e-9)


def test_search_ranks_by_the_edited_vectors_and_its_explanations_add_up(index: Index) -> None:
    sae, rows = index.explainer.sae, np.arange(len(index))
    query = index.query_vector(QUERY)[0]
    first = index.search(QUERY, 1)[0]
    gone = first.explanation.terms[0].feature_id
    assert gone is not None
    profile = SteeringProfile({gone: 0.0, 17: 2.5, 40: 1.0}, sae.digest, kind="project")
    removal = Removal.of(sae, profile.factors)
    wanted = removal.edit(index.vectors(rows)) @ query.astype(np.float64)
    hits = index.search(QUERY, 15, steer=profile)
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(wanted)[::-1][:15], atol=1e-6)
    np.testing.assert_allclose([hit.score for hit in hits], wanted[[hit.row for hit in hits]], atol=1e-6)
    turned = index.explainer.steer_query(query, profile)
    assert [hit.row for hit in hits] == np.argsort(-(index.vectors(rows) @ turned), kind="stable")[:15].tolist()
    for hit in hits:
        why = hit.explanation
        assert why.score == pytest.approx(hit.score, abs=1e-5)
        assert gone not in why.shared_features
        assert {one.feature_id: one.factor for one in why.steered} == {gone: 0.0, 17: 2.5}
        change = sum(one.change or 0.0 for one in why.steered)
        assert change == pytest.approx(why.score - float(index.vectors(rows)[hit.row] @ query), abs=1e-5)
        assert any(note.startswith("steering changes this score by ") for note in why.notes)
        json.dumps(hit.with_explanation(3).to_dict())


def test_a_profile_with_a_scope_applies_to_queries_like_its_examples(index: Index, tmp_path: Path) -> None:
    query = index.query_vector(QUERY)[0]
    scope = Scope((ExampleQuery(QUERY, tuple(query.tolist())),), 0.9)
    profile = SteeringProfile({3: 0.0}, index.explainer.sae.digest, kind="project", scope=scope)
    profile.save(tmp_path / "p.json")
    assert SteeringProfile.load(tmp_path / "p.json", index.explainer.sae) == profile
    other = unit(1, index.manifest.dimension, seed=8)
    turned = steer_query(index.explainer.sae, np.vstack([query[None], other]), profile)
    assert not np.allclose(turned[0], query)
    np.testing.assert_array_equal(turned[1], other[0])
    plain, steered = (index.search("word90 word91", 10, steer=steer) for steer in (None, profile))
    assert [(hit.row, hit.score) for hit in plain] == [(hit.row, hit.score) for hit in steered]
    assert "the profile is for queries with a cosine of 0.90 or more" in steered[0].query.unsteered
    assert index.search(QUERY, 1, steer=profile)[0].query.steered


@pytest.mark.parametrize("kind", ["scale", "project"])
def test_a_profile_can_change_only_some_documents(index: Index, tmp_path: Path, kind: Kind) -> None:
    feature = index.search(QUERY, 1)[0].explanation.terms[0].feature_id
    assert feature is not None
    everywhere = SteeringProfile({feature: 0.0}, index.explainer.sae.digest, kind=kind)
    some = replace(everywhere, scope=Scope(filters=("site=cs",)))
    some.save(tmp_path / "p.json")
    assert SteeringProfile.load(tmp_path / "p.json", index.explainer.sae) == some
    assert str(some.scope) == "all queries, documents with site=cs"
    plain, whole = ({hit.row: hit for hit in index.search(QUERY, 150, steer=one)} for one in (None, everywhere))
    hits = index.search(QUERY, 150, steer=some)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        steered = hit.metadata["site"] == "cs"
        assert hit.score == pytest.approx((whole if steered else plain)[hit.row].score, abs=1e-6)
        assert bool(hit.explanation.steered) == steered
        assert hit.explanation.score == pytest.approx(hit.score, abs=1e-5)
    assert {hit.row for hit in index.search(QUERY, 150, steer=some, filters=["site=ai"])} == {
        row for row, hit in plain.items() if hit.metadata["site"] == "ai"
    }
    with pytest.raises(InputError, match="no query form" if kind == "project" else "of the kind scale"):
        steer_query(index.explainer.sae, unit(1), some)
    wrong = replace(everywhere, scope=Scope(filters=("absent=1",)))
    with pytest.raises(InputError, match=r"^the steering profile: .*absent"):
        index.search(QUERY, steer=wrong)
    misspelt = json.loads((tmp_path / "p.json").read_text()) | {"scope": {"filter": ["site=cs"]}}
    (tmp_path / "misspelt.json").write_text(json.dumps(misspelt))
    for command in (
        ("steer", "apply", index.folder, QUERY, "--profile", tmp_path / "misspelt.json"),
        ("search", index.folder, QUERY, "--steer", tmp_path / "misspelt.json"),
        ("steer", "diff", index.folder, tmp_path / "p.json", tmp_path / "misspelt.json"),
    ):
        refused(run(*command), "misspelt.json: scope: field 'filter': unknown")
    with pytest.raises(InputError, match="at least one query"):
        scope_of(index, [])
    wrong.save(tmp_path / "wrong.json")
    for command in (("search", index.folder, QUERY, "--steer"), ("steer", "apply", index.folder, QUERY, "--profile")):
        refused(run(*command, tmp_path / "wrong.json"), "wrong.json: filter", "absent")


def test_only_projection_has_a_query_form() -> None:
    with pytest.raises(InputError, match="of the kind scale"):
        steer_query(SAE, unit(1), SteeringProfile({3: 0.0}, SAE.digest))
    with pytest.raises(InputError, match="give scale or project"):
        SteeringProfile({3: 0.0}, SAE.digest, kind="other")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"kind": "other"}, "give scale or project"),
        ({"kind": 3}, "give scale or project"),
        ({"scope": {"examples": [{"text": "a", "vector": [1.0]}], "cosine": 0.5}}, "does not have 64 numbers"),
        ({"scope": {"examples": [3]}}, "scope"),
        ({"scope": {"cosine": "x"}}, "scope"),
        ({"scope": {"filters": [3]}}, "scope"),
        ({"scope": 3}, "scope"),
        ({"scope": {"filter": ["site=cs"]}}, "field 'filter': unknown; a scope has examples, cosine, filters"),
        ({"scope": {"Filters": ["site=cs"]}}, "'Filters': unknown"),
        ({"scope": {"example": []}}, "'example': unknown"),
        ({"scope": {"filters": [], "zzz": 1}}, "'zzz': unknown"),
        ({"scope": {"examples": [{"text": "a", "vector": [1.0], "weight": 2}]}}, "'weight': unknown"),
        ({"scope": {"cosine": 0.9}}, "cosine needs examples"),
        ({"scope": {"cosine": 0.9, "filters": ["site=cs"]}}, "cosine needs examples"),
        ({"date": 3}, "date of a steering profile"),
    ],
)
def test_a_bad_kind_or_scope_is_refused(tmp_path: Path, record: dict[str, object], words: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"factors": {"3": 0}, "sae_digest": SAE.digest, **record}))
    with pytest.raises(InputError, match=words):
        SteeringProfile.load(path, SAE)


def test_a_profile_of_an_earlier_version_is_of_the_kind_scale(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"factors": {"3": 0.5}, "sae_digest": SAE.digest, "provenance": "", "note": ""}))
    assert SteeringProfile.load(path, SAE) == SteeringProfile({3: 0.5}, SAE.digest)
    assert SteeringProfile.load(path, SAE).kind == "scale"


def test_features_are_named_by_number_or_by_a_label_that_only_one_has() -> None:
    labels = ["coffee", "grinding", "grinding", None, "a = b"]
    features = [LabelledFeature(j, label) for j, label in enumerate(labels)]
    empty = SteeringProfile({}, "d")
    given = empty.with_factors(["Coffee=0", "#1=2", "3=0.5", "a = b=0"], features)
    assert given.factors == {0: 0.0, 1: 2.0, 3: 0.5, 4: 0.0}
    assert list(map(str, given.named(features)))[:3] == ["coffee #0 × 0", "grinding #1 × 2", "feature 3 × 0.5"]
    with pytest.raises(InputError, match="2 features have this label: #1, #2"):
        empty.with_factors(["grinding=0"], features)
    with pytest.raises(InputError, match="'tea' is not a feature"):
        empty.with_factors(["tea=0"], features)


def test_a_file_names_its_features_in_words(tmp_path: Path) -> None:
    labels: list[str | None] = [None] * SAE.features
    labels[2:6] = ["coffee", "grinding", "grinding", "2"]
    features = [LabelledFeature(j, label) for j, label in enumerate(labels)]
    path = tmp_path / "p.json"

    def load(**factors: float) -> SteeringProfile:
        path.write_text(json.dumps({"factors": factors, "sae_digest": SAE.digest}))
        return SteeringProfile.load(path, SAE, features=features)

    assert load(**{"Coffee": 0, "#3": 2, "9": 1.5}).factors == {2: 0.0, 3: 2.0, 9: 1.5}
    assert load(**{"2": 0}).factors == {2: 0.0}, "a number is a number, even if a label is one too"
    load(coffee=0).save(path)
    assert json.loads(path.read_text())["factors"] == {"2": 0.0}, "files that are saved have numbers"
    for factors, words in (
        ({"grinding": 0}, "2 features have this label: #3, #4"),
        ({"coffe": 0}, "'coffe' is not a feature; similar names: coffee #2"),
        ({"tea": 0}, "'tea' is not a feature; give a name, or a number from 0 to 127"),
        ({"coffee": 0, "2": 0}, "feature 2 has two factors"),
        ({"": 0}, "'' is not a feature"),
        ({"coffee": "0"}, "coffee: '0' is not a factor"),
    ):
        with pytest.raises(InputError, match=words):
            load(**factors)  # type: ignore[arg-type]


def test_profiles_are_merged_if_they_agree() -> None:
    one, two = (SteeringProfile({j: 0.0, 9: 0.5}, "d", note=f"n{j}", kind="project") for j in (1, 2))
    both = one.merged(two)
    assert (both.factors, both.note, both.kind) == ({1: 0.0, 2: 0.0, 9: 0.5}, "n1; n2", "project")
    for other, words in (
        (replace(two, factors={9: 2.0}), "feature 9 has the factors 0.5 and 2"),
        (replace(two, kind="scale"), "of the kind project"),
        (replace(two, scope=Scope((ExampleQuery("a", (1.0,)),), 0.5)), "the other for queries with a cosine"),
    ):
        with pytest.raises(InputError, match=words):
            one.merged(other)
    with pytest.raises(MismatchError, match="different autoencoders"):
        one.merged(replace(two, sae_digest="e"))
