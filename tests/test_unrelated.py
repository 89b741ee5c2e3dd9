"""Is a score high here: unrelated pairs, cut-offs, and queries that nothing answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer
from index_data import SMALL, build_small, records, write_corpus

from xetrieval.configs import ChunkConfig
from xetrieval.errors import InputError
from xetrieval.evaluate.cutoff import JudgedHits, choose, cutoff, scale
from xetrieval.index import Corpus, Index, SearchOptions, build_index, open_index
from xetrieval.index.ask.answer import search_answer
from xetrieval.index.search.ranking import search
from xetrieval.index.search.unrelated import LOW, percent, unrelated

QUERY = "word1 word2"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_small(tmp_path_factory.mktemp("unrelated"), 70))


def test_a_score_is_placed_among_all_pairs_of_different_documents(index: Index) -> None:
    pairs, z = unrelated(index), index.vectors(np.arange(70))
    assert pairs is not None
    scores = (z @ z.T)[np.triu_indices(70, 1)]
    assert np.allclose(pairs.scores, np.sort(scores), atol=1e-6)
    assert pairs.below(0.1) == pytest.approx((scores < 0.1).mean())
    assert (pairs.below(-1.0), pairs.below(1.1)) == (0.0, 1.0)
    assert pairs.below(pairs.level(0.9)) == pytest.approx(0.9, abs=1e-3)


def test_every_hit_says_it_and_only_for_the_encoders_own_score(index: Index) -> None:
    found = search(index, QUERY, 3, SearchOptions())
    for hit in found.hits:
        assert hit.above_unrelated == pytest.approx(unrelated(index).below(hit.score), abs=1e-5)  # type: ignore[union-attr]
    first = search_answer(found, None, explain=False, top=None).to_dict()["hits"][0]
    assert list(first)[:4] == ["rank", "doc_id", "score", "above_unrelated"]
    for options in (SearchOptions("bm25"), SearchOptions(views={"qa": 0.5})):
        assert (
            "above_unrelated"
            not in search_answer(search(index, QUERY, 3, options), None, explain=False, top=None).to_dict()["hits"][0]
        )


def test_chunks_of_one_document_are_related(tmp_path: Path) -> None:
    rows = [{**row, "text": f"{row['text']}. " * 3} for row in records(60)]
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),), ChunkConfig(16))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    assert len(index) > 60
    assert len(unrelated(index).scores) == 60 * 59 // 2  # type: ignore[union-attr]


def test_of_few_documents_nothing_is_said(tmp_path: Path) -> None:
    index = open_index(build_small(tmp_path, 49))
    assert unrelated(index) is None
    assert index.search(QUERY)[0].above_unrelated is None
    assert scale(index, [(index.query_vector(QUERY)[0], None)]) is None
    assert not search(index, QUERY, 3, SearchOptions()).note


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(0.0, "0%"), (0.29, "29%"), (0.9899, "98%"), (0.9972, "99.7%"), (0.9999, "99.99%"), (1.0, "99.99%")],
)
def test_a_percentage_is_never_rounded_up(fraction: float, shown: str) -> None:
    assert percent(fraction) == shown


def test_nothing_here_answers_this(index: Index) -> None:
    pairs, z = unrelated(index), index.vectors(np.arange(70))
    assert pairs is not None
    far = -z.mean(axis=0)  # like no document
    found = search(index, far, 3, SearchOptions())
    assert pairs.below(found.hits[0].score) <= LOW
    assert found.note.startswith("probably nothing here answers this: the best hit is only higher than ")
    assert search_answer(found, None, explain=False, top=None).notes[-1] == found.note
    assert not search(index, z[0], 3, SearchOptions()).note
    best = search(index, QUERY, 9, SearchOptions()).hits
    some = search(index, QUERY, 9, SearchOptions(least=best[3].score))
    assert [hit.doc_id for hit in some.hits] == [hit.doc_id for hit in best[:4]]
    assert not some.note
    none = search(index, QUERY, 9, SearchOptions(least=0.9999))
    assert none.hits == []
    assert none.note == f"nothing here answers this: the best hit scores {best[0].score:.4f}, below 0.9999"
    for wrong in (float("nan"), True, "0.5"):
        with pytest.raises(InputError, match="least must be a number"):
            search(index, QUERY, 9, SearchOptions(least=wrong))  # type: ignore[arg-type]


def planted(queries: int = 40, each: int = 10) -> JudgedHits:
    """Above 0.5, nine of ten hits are relevant; below it none."""
    rng = np.random.default_rng(0)
    score = rng.uniform(0, 1, queries * each)
    relevant = (score > 0.5) & (rng.uniform(size=len(score)) < 0.9)
    return JudgedHits(np.repeat(np.arange(queries), each), score, relevant, rng.uniform(0, 0.5, queries))


def test_a_cutoff_has_the_wanted_precision_and_the_next_lower_score_has_not() -> None:
    hits = planted()
    found = choose(hits, 0.85)
    assert found.score is not None
    above = hits.score >= found.score
    assert found.hits == above.sum()
    assert found.precision == pytest.approx(hits.relevant[above].mean(), abs=1e-4)
    assert found.precision >= 0.85
    for lower in np.sort(hits.score[~above]):
        assert hits.relevant[hits.score >= lower].mean() < 0.85
    assert found.recall == 1.0
    assert found.answered_without == pytest.approx((hits.unanswered >= found.score).mean(), abs=1e-4)
    none = choose(hits, 0.99)
    assert none.score is None, "no twenty hits are that precise"
    assert none.highest_from is not None
    best = hits.relevant[hits.score >= none.highest_from]
    assert len(best) >= 20
    assert none.highest == pytest.approx(best.mean(), abs=1e-4)


def test_equal_scores_are_on_the_same_side() -> None:
    score = np.repeat([0.9, 0.5], [30, 30])
    relevant = np.arange(60) < 45  # half of the second group
    found = choose(JudgedHits(np.arange(60) // 10, score, relevant, np.zeros(6)), 0.8)
    assert (found.score, found.hits) == (0.9, 30)


def test_the_cutoff_of_an_index_counts_documents_and_takes_copies_of_relevant_ones_out(index: Index) -> None:
    queries = [f"word{i} word{i + 1}" for i in range(30)]
    best = [index.search(query, 6) for query in queries]
    found = cutoff(index, queries, None, [{hit.doc_id: 1 for hit in hits[:5]} for hits in best], 0.9)
    assert found.queries == 30
    assert found.score is not None
    assert found.above_unrelated == pytest.approx(unrelated(index).below(found.score), abs=1e-5)  # type: ignore[union-attr]
    assert found.answered_without == pytest.approx(np.mean([hits[5].score >= found.score for hits in best]), abs=1e-4)
    assert cutoff(index, queries, None, [{"absent": 1}] * 30, 0.9).queries == 0
    with pytest.raises(InputError, match="between 0 and 1"):
        cutoff(index, queries, None, [{}] * 30, 1.0)
    own = [hits[0].doc_id for hits in best]
    others = cutoff(index, queries, own, [{hit.doc_id: 1 for hit in hits[:5]} for hits in best], 0.9)
    assert others.hits < found.hits, "the own document of a query is not ranked"
