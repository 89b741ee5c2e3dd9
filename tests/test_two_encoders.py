"""Two encoders, one language: features carried over, and rankings compared in named parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_sae
from index_data import SMALL, records
from sae_data import planted
from test_cli import refused, run

from xetrieval import open_encoder, open_index
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError, MismatchError
from xetrieval.fitting.bridge import carry_features
from xetrieval.index import Corpus, Index, build_index, compare_encoders
from xetrieval.index.ask.two_encoders import PartOfBoth, bridge_between
from xetrieval.index.ask.why import all_scores

ROTATION = np.linalg.qr(np.random.default_rng(5).standard_normal((64, 64)))[0].astype(np.float32)
QUERY = "word1 word2 word3 word4"


def rotated(texts: list[str]) -> np.ndarray:
    return HashingEncoder(64).encode_document(texts) @ ROTATION


def written(folder: Path, name: str, count: int = 300, changed: int = 0) -> Path:
    path = folder / f"{name}.jsonl"
    lines = [{**one, "text": f"{one['text']} {name}"} if i < changed else one for i, one in enumerate(records(count))]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """a: hashed words; b: the same, rotated; both of the same texts; c: b with 280 other texts."""
    folder = tmp_path_factory.mktemp("two")
    other = open_encoder(rotated, name="rotated", version="1")
    second = replace(random_explainer(), name="rotated", encoder_identity=other.identity, internalizers={})
    build_index(Corpus((written(folder, "a"),)), random_explainer(), folder / "a", SMALL)
    build_index(Corpus((written(folder, "a"),)), second.with_encoder(other), folder / "b", SMALL)
    build_index(Corpus((written(folder, "c", changed=295),)), second.with_encoder(other), folder / "c", SMALL)
    return folder


@pytest.fixture
def pair(folder: Path) -> tuple[Index, Index]:
    other = open_encoder(rotated, name="rotated", version="1")
    second = open_index(folder / "b")
    return open_index(folder / "a"), second.with_explainer(second.explainer.with_encoder(other))  # type: ignore[return-value]


def test_features_are_carried_through_a_rotation_and_not_to_noise() -> None:
    x = planted(1500)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((32, 32)))[0].astype(np.float32)
    sae = random_sae(dimension=32)
    same = carry_features(sae, x, x @ turn)
    noise = np.random.default_rng(4).standard_normal((1500, 20)).astype(np.float32)
    nothing = carry_features(sae, x, noise / np.linalg.norm(noise, axis=1, keepdims=True))
    assert same.tested.sum() > 20
    assert np.nanmedian(same.correlation) > 0.9
    assert same.carried.sum() > 0.9 * same.tested.sum()
    assert abs(np.nanmedian(nothing.correlation)) < 0.1
    assert nothing.carried.sum() <= 0.05 * nothing.tested.sum()
    frequency = (sae.encode(x).dense(sae.features) > 0).mean(axis=0)
    carried = (same.sae.encode(x @ turn).dense(sae.features) > 0).mean(axis=0)
    assert np.abs(frequency - carried)[same.tested].max() < 0.03, "active as often as before"


def test_rows_that_do_not_match_or_are_too_few_are_refused() -> None:
    x = planted(120)
    with pytest.raises(MismatchError, match="120 vectors"):
        carry_features(random_sae(dimension=32), x, x[:119])
    with pytest.raises(InputError, match="too few"):
        carry_features(random_sae(dimension=32), x[:50], x[:50])
    with pytest.raises(InputError, match="all alike"):
        carry_features(random_sae(dimension=32), x, np.repeat(x[:1], 120, axis=0))


def test_parts_add_up_to_the_score_in_units_of_each_ranking(pair: tuple[Index, Index]) -> None:
    found = compare_encoders(*pair, QUERY, "d7")
    assert found.document is not None
    for side in (0, 1):
        total = sum(term.parts[side] for term in found.terms) + found.remainder[side]
        assert total == pytest.approx(found.document.standardised[side], abs=1e-4)
    hit = next(hit for hit in pair[0].search(QUERY, k=len(pair[0])) if hit.doc_id == "d7")
    assert found.document.ranks[0] == hit.rank
    assert found.document.scores[0] == pytest.approx(hit.score, abs=1e-6)


def shares_by_lstsq(index: Index, q: np.ndarray, row: int) -> np.ndarray:
    """The share of each feature [F] in the score of one document, without the project's own attribution."""
    sae, rows = index.explainer.sae, np.array([row])
    active = [codes.dense(sae.features)[0] > 0 for codes in (sae.encode(q[None]), index.codes(rows, "original"))]
    both = np.flatnonzero(active[0] & active[1])
    W = sae.directions[both].astype(np.float64)
    shares = np.zeros(sae.features)
    beta = np.linalg.lstsq(W.T, (index.vectors(rows)[0] - sae.decoder_bias).astype(np.float64), rcond=None)[0]
    shares[both] = beta * (W @ q)
    return shares


def test_the_units_are_those_of_both_top_100s_whatever_document_is_named(pair: tuple[Index, Index]) -> None:
    q = [index.query_vector(QUERY)[0] for index in pair]
    scores = [all_scores(index, v).astype(np.float64) for index, v in zip(pair, q, strict=True)]
    union = sorted({row for one in scores for row in np.argsort(-one, kind="stable")[:100].tolist()})
    outside = next(row for row in np.argsort(scores[0]).tolist() if row not in union)
    bridge, plain = bridge_between(*pair), compare_encoders(*pair, QUERY)
    assert plain.candidates == len(union)
    for row in (outside, union[0]):
        found = compare_encoders(*pair, QUERY, f"d{row}", bridge=bridge)
        assert (found.candidates, found.hits) == (plain.candidates, plain.hits)
        assert found.document is not None
        for side in (0, 1):
            of_union = scores[side][union]
            own = (scores[side][row] - of_union.mean()) / of_union.std()
            assert found.document.standardised[side] == pytest.approx(own, abs=1e-6)
            assert sum(term.parts[side] for term in found.terms) + found.remainder[side] == pytest.approx(own, abs=1e-4)
        shares = np.stack([shares_by_lstsq(pair[0], q[0], other) for other in [row, *union]])
        parts = (shares[0] - shares[1:].mean(axis=0)) / scores[0][union].std()
        assert np.abs(parts).max() > 0.1
        by_id = {term.feature_id: term.parts[0] for term in found.terms}
        assert [by_id.get(j, 0.0) for j in range(len(parts))] == pytest.approx(parts, abs=1e-4)


def test_an_encoder_and_its_rotation_rank_for_the_same_reasons(pair: tuple[Index, Index]) -> None:
    found = compare_encoders(*pair, QUERY, "d7", bridge=bridge_between(*pair))
    assert found.document is not None
    assert found.document.ranks[0] == found.document.ranks[1]
    assert found.document.standardised[0] == pytest.approx(found.document.standardised[1], abs=1e-3)
    assert [hit.ranks[0] for hit in found.hits] == [hit.ranks[1] for hit in found.hits]
    assert len(found.hits) == 10
    assert "rank A" in str(found)
    assert "remainder" in str(found)


def test_a_feature_without_a_label_is_shown_by_its_words() -> None:
    unnamed = PartOfBoth(7, None, ("river", "bank"), (0.5, 0.1), 0.9, shared=True)
    assert unnamed.name == "unnamed: river, bank"
    assert replace(unnamed, words=()).name == "feature 7"
    assert replace(unnamed, label="water").name == "water"


def test_indexes_of_different_texts_are_refused(folder: Path, pair: tuple[Index, Index]) -> None:
    other = open_index(folder / "c")
    changed = other.with_explainer(pair[1].explainer)
    with pytest.raises(InputError, match="same text"):
        compare_encoders(pair[0], changed, QUERY)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="in common"):
        bridge_between(pair[0], changed)  # type: ignore[arg-type]


def test_misuse_is_refused_in_words(pair: tuple[Index, Index]) -> None:
    with pytest.raises(InputError, match="no document 'nope'"):
        compare_encoders(*pair, QUERY, "nope")
    with pytest.raises(InputError, match="text of the query"):
        compare_encoders(*pair, np.ones(64))  # type: ignore[arg-type]
    with pytest.raises(InputError):
        compare_encoders(*pair, QUERY, k=0)
    with pytest.raises(InputError, match="at most 100"):
        compare_encoders(*pair, QUERY, k=101)


def test_a_document_with_another_text_is_left_out_once(folder: Path, pair: tuple[Index, Index]) -> None:
    """It may be among the top documents of both rankings."""
    build_index(Corpus((written(folder, "few", changed=40),)), pair[1].explainer, folder / "few", SMALL)
    other = open_index(folder / "few").with_explainer(pair[1].explainer)
    found = compare_encoders(pair[0], other, QUERY, k=100)  # type: ignore[arg-type]
    assert 0 < found.left_out <= 40
    q = [index.query_vector(QUERY)[0] for index in (pair[0], other)]
    tops = [
        np.argsort(-all_scores(index, v), kind="stable")[:100] for index, v in zip((pair[0], other), q, strict=True)
    ]
    assert found.left_out == len({row for top in tops for row in top.tolist() if row < 40})


def test_the_command_prints_and_writes_json(folder: Path) -> None:
    done = run("compare", folder / "a", folder / "a", QUERY, "d7", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["document"]["doc_id"] == "d7"
    assert found["document"]["ranks"][0] == found["document"]["ranks"][1]
    text = run("compare", folder / "a", folder / "a", QUERY, "d7", "-n", 3)
    assert "other features" in text.stdout
    refused(run("compare", folder / "a", folder / "none", QUERY), "none")
    refused(run("compare", folder / "a", folder / "a", QUERY, "nope"), "no document")
    refused(run("compare", folder / "a", folder / "a", ""), "query")
