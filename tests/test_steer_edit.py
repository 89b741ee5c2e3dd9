"""Edits of a document's text: every score and rank is that of an index with the edited document."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer, unit
from index_data import ADDING, SMALL, build_small, write_corpus
from test_encoder_endpoint import Server, server  # noqa: F401  # a fixture

from xetrieval.configs import ChunkConfig
from xetrieval.encoders import EndpointEncoder
from xetrieval.errors import InputError, MismatchError
from xetrieval.index import BuildConfig, Corpus, Index, build_index, open_index
from xetrieval.index.ask.edit import EditTask, words_without
from xetrieval.index.ask.rewrite import with_rewritten
from xetrieval.llm import ReplayChat

QUERY = "word1 word2 word3"
TEXT = "Word1 word2 are here. Nothing else is word7. Word3 and word3 and word9 come last."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("edit")
    build_small(home, 70)
    corpus = Corpus((write_corpus(home / "more.jsonl", [{"_id": "own", "title": "Own", "text": TEXT}]),))
    build_index(corpus, random_explainer(), home / "index", ADDING)
    return home / "index"


@pytest.fixture
def index(folder: Path) -> Index:
    return open_index(folder)


def placed(home: Path, text: str) -> tuple[float, int]:
    """Score and rank of the document `own` in an index where this is its whole text."""
    build_small(home, 70)
    corpus = Corpus((write_corpus(home / "more.jsonl", [{"_id": "own", "text": text}]),))
    build_index(corpus, random_explainer(), home / "index", ADDING)
    hit = next(hit for hit in open_index(home / "index").search(QUERY, 71) if hit.doc_id == "own")
    return hit.score, hit.rank


def test_every_edit_is_placed_where_an_index_with_it_places_it(index: Index, tmp_path: Path) -> None:
    found = index.text_edits(QUERY, "own")
    plain = next(hit for hit in index.search(QUERY, 71) if hit.doc_id == "own")
    assert (found.rank, found.score) == (plain.rank, pytest.approx(plain.score, abs=1e-6))
    stored = index.document(index.row_of("own")).text
    assert [stored[one.start : one.end] for one in found.sentences] == [one.text for one in found.sentences]
    assert {one.text for one in found.sentences} == {"Own", *TEXT.replace(". ", ".\n").split("\n")}
    assert found.encoded == 5
    for number, one in enumerate(found.sentences):
        score, rank = placed(tmp_path / str(number), stored[: one.start] + stored[one.end :])
        assert (one.score_after, one.rank_after) == (pytest.approx(score, abs=1e-6), rank)
    scores = [one.score_after for one in found.sentences]
    assert scores == sorted(scores)
    assert scores[0] < found.score, "the sentence with the query's words carries the score"
    assert [*found.down, *found.up[::-1]] == list(found.sentences)
    assert json.loads(json.dumps(found.to_dict()))["sentences"][0]["rank_after"] == found.sentences[0].rank_after


def test_a_new_text_is_placed_and_explained(index: Index, tmp_path: Path) -> None:
    new = "Own\nWord1 word2 word3 word4."
    found = index.text_edits(QUERY, "own", new)
    assert found.changed is not None
    assert found.sentences == ()
    assert found.encoded == 2
    score, rank = placed(tmp_path, new)
    assert (found.changed.score_after, found.changed.rank_after) == (pytest.approx(score, abs=1e-6), rank)
    contrast = found.changed.contrast
    assert contrast.difference == pytest.approx(score - found.score, abs=1e-6)
    assert (contrast.first.document, contrast.second.doc_id) == (new, "own")
    parts = sum(a.share - b.share for a, b in contrast.pairs) + contrast.remainder
    assert parts == pytest.approx(contrast.difference, abs=1e-6)
    assert "what changed" in str(found)
    same = index.text_edits(QUERY, "own", index.document(index.row_of("own")).text).changed
    assert same is not None
    assert (same.rank_after, same.score_after) == (found.rank, found.score)


def test_what_of_a_new_text_was_not_read_is_said(index: Index) -> None:
    found = index.text_edits(QUERY, "own", "word1 word2 word3. " * 100)
    assert any("44 tokens of the new text are past the encoder's limit" in note for note in found.notes)
    assert not any("new text" in note for note in index.text_edits(QUERY, "own", "word1 word2").notes)


def test_what_the_document_lacks_are_features_and_words_of_the_query(index: Index) -> None:
    found = index.text_edits(f"{QUERY} zebras", "own")
    sae, row = index.explainer.sae, np.array([index.row_of("own")])
    q = index.query_vector(f"{QUERY} zebras")[0]
    own = {int(j) for view in index.all_codes(row) for j in view.support(0)}
    wanted = set(sae.encode(q[None]).support(0).tolist()) - own
    assert {one.feature_id for one in found.missing} <= wanted
    assert len(found.missing) == min(8, len(wanted))
    strengths = [one.query_activation for one in found.missing]
    assert strengths == sorted(strengths, reverse=True)
    best = [index.row_of(hit.doc_id) for hit in index.search(f"{QUERY} zebras", 11) if hit.doc_id != "own"][:10]
    codes = index.all_codes(np.array(best))
    for one in found.missing:
        assert one.hits == sum(any(one.feature_id in view.support(i) for view in codes) for i in range(len(best)))
    assert found.missing_words == ("zebras",)


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("measuring the distances", "A measurement of distance.", ()),
        ("how to send an email", "Mail is sent.", ("send", "email")),
        ("北京 天气", "北京的历史", ("天气",)),
        ("", "text", ()),
    ],
)
def test_words_without(query: str, text: str, words: tuple[str, ...]) -> None:
    assert words_without(query, text) == words


def test_a_vector_is_a_query_too(index: Index) -> None:
    by_text, by_vector = index.text_edits(QUERY, "own"), index.text_edits(index.query_vector(QUERY)[0], "own")
    assert by_text.sentences == by_vector.sentences
    assert [one.feature_id for one in by_text.missing] == [one.feature_id for one in by_vector.missing]
    assert by_vector.missing_words == ()


def test_one_sentence_and_many(index: Index) -> None:
    found = index.text_edits(QUERY, "own", sentences=2)
    assert len(found.sentences) == 2
    assert found.notes[0] == "the first 2 of 4 sentences were left out in turn"
    for wrong in (0, True, 1.5, "3"):
        with pytest.raises(InputError, match="sentences must be a whole number"):
            index.text_edits(QUERY, "own", sentences=wrong)  # type: ignore[arg-type]


def test_what_cannot_be_edited_is_refused(index: Index, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no document 'absent'"):
        index.text_edits(QUERY, "absent")
    with pytest.raises(InputError, match="ids of documents are text"):
        index.text_edits(QUERY, 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="new text"):
        index.text_edits(QUERY, "own", 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the new text is empty"):
        index.text_edits(QUERY, "own", " \n")
    with pytest.raises(InputError, match="the query is empty"):
        index.text_edits(" ", "own")
    np.save(tmp_path / "v.npy", unit(3))
    config = replace(SMALL, force=True)
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "bare", config)
    bare = open_index(tmp_path / "bare")
    with pytest.raises(InputError, match="has no text here, only a vector"):
        bare.text_edits(QUERY, bare.document(0).id)
    rows = [{"_id": f"v{i}", "text": f"Text {i}. More of it."} for i in range(3)]
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),), vectors=tmp_path / "v.npy")
    build_index(corpus, random_explainer(), tmp_path / "foreign", config)
    with pytest.raises(MismatchError, match="is not that of its text"):
        open_index(tmp_path / "foreign").text_edits(unit(1, seed=3)[0], "v1")


def test_of_a_document_in_chunks_the_best_is_edited(tmp_path: Path) -> None:
    text = " ".join(f"Sentence {n} has word{n} in it." for n in range(12))
    rows: list[dict[str, object]] = [{"_id": "long", "text": text}, {"_id": "b", "text": "word1"}]
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),), ChunkConfig(16))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    ranked = [hit for hit in index.search("word5", 20) if hit.parent == "long"]
    found = index.text_edits("word5", "long")
    assert (found.doc_id, found.rank) == (ranked[0].doc_id, ranked[0].rank)
    assert found.notes[0].startswith(f"long has {len(ranked)} chunks; this is about the best, {ranked[0].doc_id}")
    assert f"The next, {ranked[1].doc_id}, has rank {ranked[1].rank} and stays" in found.notes[0]
    assert index.text_edits("word5", ranked[2].doc_id).doc_id == ranked[2].doc_id


def test_a_sentence_is_rewritten_and_its_text_encoded(index: Index, tmp_path: Path) -> None:
    task = EditTask.of(index, f"{QUERY} zebras", "own")
    edits = task.run()
    model = ReplayChat(lambda request: "Here is the sentence: Word1 zebras graze.")
    found = with_rewritten(task, edits, model)
    assert found.changed is not None
    assert found.changed.rewritten == "Word1 zebras graze."
    assert found.changed.sentence == edits.sentences[-1].text
    stored = index.document(index.row_of("own")).text
    assert found.changed.text == stored.replace(found.changed.sentence, "Word1 zebras graze.", 1)
    checked = index.text_edits(f"{QUERY} zebras", "own", found.changed.text).changed
    assert checked is not None
    assert (found.changed.rank_after, found.changed.score_after) == (checked.rank_after, checked.score_after)
    asked = model.requests[0].messages[-1].content
    assert "zebras" in asked.split("Words of the query that the document lacks:")[1]
    assert with_rewritten(task, edits, model, "down").changed.sentence == edits.sentences[0].text  # type: ignore[union-attr]
    assert with_rewritten(task, index.text_edits(QUERY, "own", sentences=1), model).changed.sentence != "Own"  # type: ignore[union-attr]
    with pytest.raises(InputError, match="not for a vector"):
        with_rewritten(task, index.text_edits(index.query_vector(QUERY)[0], "own"), model)
    for answer, fault in (("", "it was empty"), ("I cannot do that.", "a refusal"), ("word " * 90, "90 words")):
        silent = with_rewritten(task, edits, ReplayChat(lambda _, answer=answer: answer))
        assert silent.changed is None
        assert fault in silent.notes[-1]


def test_the_command_says_what_it_encodes_and_answers_as_python_does(
    folder: Path, index: Index, tmp_path: Path
) -> None:
    done = accepted(run("steer", "edit", folder, QUERY, "own", "--format", "json"))
    assert "5 texts to encode" in done.stderr
    assert json.loads(done.stdout) == json.loads(json.dumps(index.text_edits(QUERY, "own").to_dict()))
    shown = accepted(run("steer", "edit", folder, QUERY, "own")).stdout
    assert "Word1 word2 are here." in shown
    (tmp_path / "new.txt").write_text("Own\nWord1 word2 word3.")
    by_file = accepted(
        run("steer", "edit", folder, QUERY, "own", "--text-file", tmp_path / "new.txt", "--format", "json")
    )
    by_text = accepted(
        run("steer", "edit", folder, QUERY, "own", "--text", "Own\nWord1 word2 word3.", "--format", "json")
    )
    assert by_file.stdout == by_text.stdout
    (tmp_path / "replay.jsonl").write_text('{"answer": "Zebras are word1."}\n')
    llm = ("--llm", f"replay:{tmp_path / 'replay.jsonl'}", "--cache", tmp_path / "cache")
    done = accepted(run("steer", "edit", folder, QUERY, "own", *llm, "--rewrite", "down", "--format", "json"))
    assert "then one with the rewritten sentence" in done.stderr
    changed = json.loads(done.stdout)["changed"]
    assert changed["rewritten"] == "Zebras are word1."
    assert index.text_edits(QUERY, "own", changed["text"]).changed.rank_after == changed["rank_after"]  # type: ignore[union-attr]


def test_the_command_refuses_options_that_do_not_go_together(folder: Path, tmp_path: Path) -> None:
    edit = ("steer", "edit", folder, QUERY, "own")
    (tmp_path / "r.jsonl").write_text('{"answer": "a"}\n')
    llm = ("--llm", f"replay:{tmp_path / 'r.jsonl'}")
    refused(run(*edit, "--text", "a", "--text-file", tmp_path / "r.jsonl"), "not both")
    refused(run(*edit, "--text", "a", *llm), "cannot be combined")
    refused(run(*edit, "--rewrite", "up"), "--rewrite needs --llm")
    refused(run(*edit, "--budget-requests", "3"), "--budget-requests applies only to --llm")
    refused(run(*edit, "--text-file", tmp_path / "absent"), "absent")
    refused(run(*edit, "--text", ""), "the new text is empty")
    refused(run("steer", "edit", folder, QUERY, "nothing"), "no document 'nothing'")


def test_a_server_gets_no_text_unasked(server: Server, tmp_path: Path) -> None:  # noqa: F811
    encoder = EndpointEncoder(server.url, "m")
    small = random_explainer(encoder.identity.dimension)
    explainer = replace(small, encoder_identity=encoder.identity).with_encoder(encoder)
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": TEXT}, {"_id": "b", "text": "word2"}]),))
    build_index(corpus, explainer, tmp_path / "index", BuildConfig())
    index = open_index(tmp_path / "index", explainer)
    index.query_vector(QUERY)
    before = len(server.requests)
    with pytest.raises(InputError, match="send must be True or False"):
        index.text_edits(QUERY, "a", send="no")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="document vectors"):
        index.explainer.edited("x")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"4 texts to send, about .* nothing was sent"):
        index.text_edits(QUERY, "a")
    texts = {text for request in server.requests[before:] for text in request["input"]}
    assert texts <= {QUERY}
    assert len(index.text_edits(QUERY, "a", send=True).sentences) == 3


def test_http_answers_what_the_library_answers(index: Index, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from starlette.testclient import TestClient

    from xetrieval.serve.app import create_app

    app = create_app({"toy": index}, random_explainer(), profiles=tmp_path / "profiles")
    with TestClient(app, base_url="http://localhost") as client:

        def post(**body: Any) -> Any:
            return client.post("/v1/steering/edit", json={"query": QUERY, "doc_id": "own", **body})

        assert post().json() == json.loads(json.dumps(index.text_edits(QUERY, "own").to_dict()))
        new = index.text_edits(QUERY, "own", "Word1 alone.")
        assert post(text="Word1 alone.").json() == json.loads(json.dumps(new.to_dict()))
        assert post(doc_id="absent").status_code == 404
        assert post(text=" ").status_code == 400
        assert post(sentences=49).status_code == 422
