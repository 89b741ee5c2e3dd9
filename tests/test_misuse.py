"""Values of the wrong type or size are refused in words by every method of an index, and chunks count as documents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from conftest import random_explainer, random_sae
from index_data import SMALL, build_small, write_corpus

from xetrieval.configs import ChunkConfig
from xetrieval.errors import InputError
from xetrieval.evaluate.doctor import checkup
from xetrieval.evaluate.profile_test import profile_test
from xetrieval.index import Corpus, Expectation, Index, build_index, open_index
from xetrieval.index.ask.others import DEPTH, JUDGED, OtherQueries, ndcg_of, scope_of, top_rows
from xetrieval.index.ask.push import push
from xetrieval.steer import SteeringProfile

ONE = Expectation("word1", "d1", in_top=5)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return open_index(build_small(tmp_path_factory.mktemp("misuse"), 60))


CASES: list[tuple[str, Callable[[Index], object]]] = [
    *(
        ("expectations: give a list", lambda index, given=given: index.check(given))
        for given in (None, 3, 1.5, ONE, {}, b"x")
    ),
    *(("expectation 1 is a", lambda index, given=given: index.check(given)) for given in ([None], ["x"], [{}])),
    ("there is no expectation", lambda index: index.check([])),
    ("the doc_id is None", lambda _: Expectation("a", None, in_top=1)),  # type: ignore[arg-type]
    ("the query is a int", lambda _: Expectation(3, "a", in_top=1)),  # type: ignore[arg-type]
    ("expected a list of id texts", lambda index: index.push_down("word1", "d2", good=None)),
    ("others: give", lambda index: index.bring_up("word1", "d2", others=["a"])),
    ("direction 'sideways': choose down or up", lambda index: push(index, "word1", "d2", "sideways")),  # type: ignore[arg-type]
    *(
        ("most harm .* out of range", lambda index, harm=harm: push(index, "word1", "d2", "down", most_harm=harm))
        for harm in (None, "a", -1, 2, float("nan"), True)
    ),
    *(
        ("most must be a whole number", lambda index, most=most: OtherQueries.of(index, ["a"], most=most))
        for most in (0, -1, "a", True)
    ),
    *(
        ("judgments: ", lambda index, given=given: OtherQueries.of(index, ["a"], given))
        for given in (None, [None], {"a": 1}, [{"d1": "x"}], [{"d1": float("nan")}], [{"d1": True}], [{1: 1}])
    ),
    *(
        ("id texts|is a int", lambda index, names=names: OtherQueries.of(index, ["a"], (), names))
        for names in ("x", [3])
    ),
    *(("query texts", lambda index, texts=texts: scope_of(index, texts)) for texts in (None, "abc", 3)),
    *(
        ("cosine of a scope", lambda index, cosine=cosine: scope_of(index, ["a"], cosine))
        for cosine in ("x", 2, float("nan"))
    ),
    *(
        ("counterfactual must be True or False", lambda index, flag=flag: index.why("word1", "d2", counterfactual=flag))
        for flag in (3, "a", None)
    ),
    ("counterfactual must be", lambda index: index.explainer.contrast("a", "b", "c", counterfactual=1)),
    ("grades as whole numbers", lambda index: checkup(index, ["word1"], [{"d1": "x"}])),  # type: ignore[dict-item]
]


@pytest.mark.parametrize(("words", "call"), CASES)
def test_misuse_is_refused_in_words(index: Index, words: str, call: Callable[[Index], object]) -> None:
    with pytest.raises(InputError, match=words):
        call(index)


@pytest.fixture(scope="module")
def chunked(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Documents of twelve chunks; the text of q and of twin is the same, that of the others is not."""
    folder = tmp_path_factory.mktemp("chunked")

    def text(word: str) -> str:
        return " ".join(f"The {word} number {n} is in this sentence." for n in range(12))

    rows = [
        {"_id": name, "text": text(name.strip("0"))}
        for name in ("same", "same0", "same00", *map("x{}".format, range(9)))
    ]
    build_index(
        Corpus((write_corpus(folder / "c.jsonl", rows),), ChunkConfig(16)), random_explainer(), folder / "i", SMALL
    )
    return open_index(folder / "i")


def test_no_chunk_of_a_query_is_ranked_for_it(chunked: Index) -> None:
    assert len(chunked.rows_of("same")) > 3
    others = OtherQueries.of(chunked, ["The same number 3 is in this sentence."] * 2, names=["same", "absent"])
    assert [len(own) for own in others.own] == [len(chunked.rows_of("same")), 0]
    first, second = top_rows(chunked, others.vectors, others.own, DEPTH)
    assert not np.isin(first, chunked.rows_of("same")).any()
    assert np.isin(second, chunked.rows_of("same")).any()
    assert others.without(np.zeros_like(others.vectors[0])).own[0].tolist() == chunked.rows_of("same")
    nothing = SteeringProfile({3: 1.0}, random_sae().digest)
    assert profile_test(chunked, nothing, others).harm == 0


def test_ndcg_is_over_ten_documents_however_many_chunks_they_have(chunked: Index) -> None:
    queries = ["The same number 3 is in this sentence."]
    others = OtherQueries.of(chunked, queries)
    ranked = chunked.documents_of(hit.row for hit in chunked.search(queries[0], len(chunked)))
    fourth = 3
    assert len(chunked.documents_of(top_rows(chunked, others.vectors, others.own, DEPTH)[0])) <= fourth
    judged = OtherQueries.of(chunked, queries, [{ranked[fourth]: 1}])
    rows = top_rows(chunked, judged.vectors, judged.own, JUDGED)
    np.testing.assert_allclose(ndcg_of(chunked, judged, rows), 1 / np.log2(fourth + 2))
    nothing = SteeringProfile({3: 1.0}, random_sae().digest)
    assert profile_test(chunked, nothing, judged).ndcg10 == pytest.approx(100 / np.log2(fourth + 2), abs=0.01)
