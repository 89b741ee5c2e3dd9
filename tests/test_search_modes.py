"""Every search mode of the registry: it ranks, takes its scores apart, and refuses what it does not accept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from index_data import build_small

from xetrieval.errors import InputError
from xetrieval.index import Index, SearchOptions, open_index
from xetrieval.index.ask.why import why
from xetrieval.index.search.companions import companions
from xetrieval.index.search.mode import Ranking, mode_class
from xetrieval.index.search.nearest import Engine, engine, nearest
from xetrieval.index.search.ranking import explain_rows, prepare, rank
from xetrieval.options import TABLE, WITHOUT_TEXT, OfMode
from xetrieval.registry import SEARCH_ENGINES, SEARCH_MODES
from xetrieval.steer import SteeringProfile

QUERY = "word1 word2 word2 word9"
CONCEPTS = '"label 3" OR #8^2 NOT "label 5"'  # the one mode whose queries have a syntax


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_small(tmp_path_factory.mktemp("modes"), 60))


@pytest.fixture(params=SEARCH_MODES)
def by(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def text(by: str) -> str:
    return CONCEPTS if by == "concept" else QUERY


def test_every_mode_is_one_file_that_names_its_class(by: str) -> None:
    assert issubclass(mode_class(by), Ranking)
    assert mode_class(by).__module__.rpartition(".")[2] == by
    assert SEARCH_MODES[by].about
    assert SEARCH_MODES[by].needs <= {"text", "vector"}
    named = {rule.accepted for rules in TABLE.values() for rule in rules if isinstance(rule, OfMode)} - {WITHOUT_TEXT}
    assert SEARCH_MODES[by].accepts <= named


def test_scores_fall_and_their_splits_add_up_to_them(index: Index, by: str, text: str) -> None:
    query = prepare(index, text, SearchOptions(by))
    ranked = rank(index, query, 20)
    assert len(ranked.rows) == len(set(ranked.rows.tolist())) > 5
    assert (np.diff(ranked.scores) <= 0).all()
    for split, row, score in zip(explain_rows(index, query, ranked.rows), ranked.rows, ranked.scores, strict=True):
        assert split.score == pytest.approx(score, abs=1e-6)
        assert split.bias + sum(term.share for term in split.terms) + split.remainder == pytest.approx(score, abs=1e-5)
        assert split.doc_id == index.document(int(row)).id


def test_a_filter_leaves_the_order_of_the_rest(index: Index, by: str, text: str) -> None:
    every = index.search(text, 60, by)
    filtered = index.search(text, 60, by, filters=["site=cs"])
    assert [hit.row for hit in filtered] == [hit.row for hit in every if hit.document.metadata["site"] == "cs"]


def test_what_a_mode_does_not_accept_is_refused(index: Index, by: str, text: str) -> None:
    q, _ = index.query_vector(QUERY)
    profile = SteeringProfile({3: 2.0}, index.explainer.sae.digest)
    options: dict[str, dict[str, Any]] = {
        "steer": {"steer": profile},
        "views": {"views": {"qa": 0.5}},
        "exact": {"exact": True},
    }
    for option, given in options.items():
        if option in SEARCH_MODES[by].accepts:
            assert index.search(text, 3, by, **given)
        else:
            with pytest.raises(InputError, match=f"by {by} and {option} cannot be combined"):
                index.search(text, 3, by, **given)
    if "text" in SEARCH_MODES[by].needs:
        with pytest.raises(InputError, match=f"by {by} and a query vector cannot be combined"):
            index.search(q, 3, by)
    else:
        assert index.search(q, 3, by)
    query, best = prepare(index, text, SearchOptions(by)), index.search(text, 1, by)[0]
    assert why(index, query, best.doc_id).rank == 1
    if "comparison" not in SEARCH_MODES[by].accepts:
        with pytest.raises(InputError, match=f"by {by} and counterfactual cannot be combined"):
            why(index, query, best.doc_id, counterfactual=True)


@pytest.mark.parametrize("name", SEARCH_ENGINES)
def test_an_engine_that_was_not_made_is_not_used(index: Index, name: str) -> None:
    assert isinstance(engine(name), Engine)
    assert not engine(name).ready(index, 10)
    assert type(engine(name)) in companions()
    with pytest.raises(InputError, match="choose one of"):
        engine("hnsw")
    q, _ = index.query_vector(QUERY)
    assert nearest(index, q, 3, approximate=True).rows.tolist() == nearest(index, q, 3).rows.tolist()
