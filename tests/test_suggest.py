"""A steering profile learned from judgments: it finds what was planted, and says so when there is nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import SMALL

from xetrieval.configs import SuggestConfig
from xetrieval.errors import InputError
from xetrieval.evaluate.suggest import suggest
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.index.ask.moves import moves
from xetrieval.steer import Removal, SteeringProfile, steered_scores
from xetrieval.steer.learn import LearnConfig, competition_of, learn_factors, pair_loss

FAST = SuggestConfig(features=(2,), ridges=(0.003,), resamples=500)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    home = tmp_path_factory.mktemp("suggest")
    np.save(home / "v.npy", unit(300, seed=3))
    build_index(Corpus((), vectors=home / "v.npy"), random_explainer(), home / "index", SMALL)
    return open_index(home / "index")


def planted(index: Index, factors: dict[int, float], queries: int = 60) -> tuple[np.ndarray, list[dict[str, int]]]:
    """Queries whose relevant documents are the best two of a ranking that is steered so."""
    q, rows = unit(queries, seed=4), np.arange(300)
    codes = index.codes(rows, "original")
    scores = steered_scores(index.explainer.sae, q, index.vectors(rows), codes, factors)
    return q, [{str(row): 1 for row in np.argsort(-of_query)[:2]} for of_query in scores]


@pytest.mark.slow
def test_planted_factors_are_found_and_help(index: Index) -> None:
    common = np.argsort(-index.frequency)[:2]
    q, judged = planted(index, {int(common[0]): 4.0, int(common[1]): 0.0}, 120)
    made = suggest(index, q, judged, FAST, "planted")
    assert made.profile.factors[int(common[0])] > 1.2
    assert made.profile.factors[int(common[1])] < 0.8
    assert made.helps
    assert made.gain > 2
    assert made.ndcg10_steered - made.ndcg10 == pytest.approx(made.gain, abs=0.01)
    assert made.profile.sae_digest == index.explainer.sae.digest
    assert "a profile learned without it" in made.sentence()
    json.dumps(made.to_dict())


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["softmax", "pairs"])
def test_planted_removals_are_found_and_help(index: Index, loss: str) -> None:
    common = int(np.argmax(index.frequency))
    q, z = unit(120, seed=4), index.vectors(np.arange(300))
    scores = q @ Removal.of(index.explainer.sae, {common: 4.0}).edit(z).T
    judged = [{str(row): 1 for row in np.argsort(-of_query)[:2]} for of_query in scores]
    made = suggest(index, q, judged, replace(FAST, kind="project", loss=loss), "planted")  # type: ignore[arg-type]
    assert made.profile.kind == "project"
    assert made.profile.factors[common] > 1.2
    assert made.helps


def test_the_loss_of_pairs_is_by_definition_and_so_is_its_slope() -> None:
    rng = np.random.default_rng(2)
    logits, wanted = rng.normal(0, 1, (3, 8)), np.zeros((3, 8))
    wanted[0, 1], wanted[1, [2, 5]], wanted[2, 0] = 1.0, 0.5, 1.0
    logits[2, 4] = -np.inf
    value, error = pair_loss(logits, wanted)
    pairs = [
        np.mean([np.log1p(np.exp(x - row[r])) for d, x in enumerate(row) if not weight[d] and np.isfinite(x)])
        * weight[r]
        for row, weight in zip(logits, wanted, strict=True)
        for r in np.flatnonzero(weight)
    ]
    assert value == pytest.approx(sum(pairs) / 3)
    for place in ((0, 1), (0, 3), (1, 5), (2, 7)):
        moved = logits.copy()
        moved[place] += 1e-6
        assert (pair_loss(moved, wanted)[0] - value) / 1e-6 == pytest.approx(error[place], abs=1e-5)
    assert error[2, 4] == 0


@pytest.mark.slow
def test_where_nothing_helps_it_says_so(index: Index) -> None:
    q, judged = planted(index, {})
    made = suggest(index, q, judged, FAST)
    assert not made.helps
    assert made.sentence().startswith("no gain")
    rng = np.random.default_rng(0)
    noise = [{str(row): 1 for row in rng.integers(0, 300, 2)} for _ in judged]
    assert not suggest(index, q, noise, FAST).helps


def test_too_few_queries_are_refused(index: Index) -> None:
    q, judged = planted(index, {}, 9)
    with pytest.raises(InputError, match="9 queries have a relevant document"):
        suggest(index, q, judged, FAST)
    with pytest.raises(InputError, match="give one of each"):
        suggest(index, q, judged[:-1], FAST)
    q, judged = planted(index, {}, 12)
    with pytest.raises(InputError, match="0 queries"):
        suggest(index, q, [{"absent": 1}] * 12, FAST)


def test_factors_fall_where_the_loss_does() -> None:
    """With one feature, the learned factor is the best of a fine grid."""
    rng = np.random.default_rng(1)
    scores, along = rng.normal(0, 0.1, (30, 50)), rng.normal(0, 1, (30, 1)).astype(np.float32)
    codes = np.abs(rng.normal(0, 0.2, (50, 1))).astype(np.float32)
    best = np.argmax(scores + 0.8 * along @ codes.T, axis=1)
    competition = competition_of(scores, along, codes, [np.array([place]) for place in best])
    factor = learn_factors(competition, LearnConfig(1, 1e-4, 1))[0]

    def loss(alpha: float, beta: float) -> float:
        logits = beta * (scores + (alpha - 1) * along @ codes.T)
        logits -= logits.max(axis=1, keepdims=True)
        return (
            float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(30), best])) + 1e-4 * (alpha - 1) ** 2
        )

    grid = np.linspace(0, 4, 81)
    values = [min(loss(alpha, beta) for beta in np.geomspace(1, 1000, 60)) for alpha in grid]
    assert factor == pytest.approx(grid[int(np.argmin(values))], abs=0.1)


def test_moves_show_where_documents_stood(index: Index) -> None:
    q = unit(1, seed=9)
    before = index.search(q, 300)
    rank = {hit.doc_id: hit.rank for hit in before}
    feature = int(index.codes(np.array([before[0].row]), "original").support(0)[0])
    profile = SteeringProfile({feature: 0.0}, index.explainer.sae.digest)
    found = moves(index, q, profile, 300).hits
    assert [move.rank for move in found] == list(range(1, 301))
    for move in found:
        assert move.before_rank == rank[move.doc_id]
        assert move.before_score == pytest.approx(before[move.before_rank - 1].score, abs=1e-6)
    assert any(move.rank != move.before_rank for move in found)


def test_clicks_are_judgments(tmp_path: Path) -> None:
    from xetrieval.data.judgments import read_clicks

    path = tmp_path / "clicks.jsonl"
    lines = [{"query": "a", "doc_id": "1", "clicks": 2}, {"query": "b", "doc_id": 5}, {"query": "a", "doc_id": "1"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_clicks(path) == (["a", "b"], [{"1": 3}, {"5": 1}])
    path.write_text('{"query": "a", "doc_id": "1", "clicks": -1}\n')
    with pytest.raises(InputError, match="line 1: field 'clicks' is not a count"):
        read_clicks(path)
