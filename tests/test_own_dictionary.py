"""An index that learns its dictionary from its corpus: which one it gets, and that nothing can disturb the learning."""

from __future__ import annotations

import random
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_explainer
from index_data import SMALL, content, write_corpus

from xetrieval import FitConfig, fit, load, open_index
from xetrieval.cli.app import app
from xetrieval.configs import ChunkConfig
from xetrieval.configs.rule import rule, sae_by_rule
from xetrieval.data import Document
from xetrieval.errors import InputError, MismatchError
from xetrieval.evaluate.doctor import checkup
from xetrieval.explain.verdict import verdict
from xetrieval.fitting import own as fitting_own
from xetrieval.fitting.metrics import held_out_notes
from xetrieval.fitting.texts import few_sentences
from xetrieval.index import BuildConfig, Built, Corpus, build_index
from xetrieval.index.build import own, shards
from xetrieval.index.build.verify import verify_index
from xetrieval.index.build.writer import ShardWriter
from xetrieval.sae.stack import Stack

OWN = replace(SMALL, dictionary="corpus")
TOPICS = (
    "kidney stones cause much pain in the lower back of patients",
    "the rocket reached its orbit an hour after the launch",
    "bread dough needs enough time to rise before it is baked",
    "the court dismissed the appeal of the company on tuesday",
    "whales sing long songs across the cold northern ocean",
)


def records(count: int) -> list[dict[str, object]]:
    rng = random.Random(1)

    def sentence(topic: str) -> str:
        words = topic.split()
        rng.shuffle(words)
        return " ".join(words).capitalize() + "."

    return [
        {
            "_id": f"d{i}",
            "title": f"Note {i}",
            "text": " ".join(sentence(TOPICS[(i + j) % 5]) for j in range(i % 3 + 1)),
        }
        for i in range(count)
    ]


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.configs.rule.STEPS", 12)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus((write_corpus(tmp_path / "corpus.jsonl", records(200)),))


@pytest.fixture
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "is_shipped", lambda explainer: explainer.name == "toy")


def test_the_rule_follows_from_the_number_of_vectors() -> None:
    assert [rule(n)["features"] for n in (1, 150, 700, 740, 3000, 6000, 10**6)] == [64, 64, 64, 128, 512, 1024, 2048]
    assert [rule(n)["k"] for n in (150, 1000, 2000)] == [8, 8, 12]
    config = sae_by_rule(1000, epochs=None, seed=3)
    assert (config.features, config.l0, config.batch_size, config.seed) == (128, 8, 256, 3)
    assert sae_by_rule(1000, features=1024).l0 == 12
    assert (config.variant, sae_by_rule(1000, inference_k=8).variant) == ("batchtopk", "topk")
    assert sae_by_rule(1000, features=4).l0 == 4
    assert sae_by_rule(3, rows=3).batch_size == 3


def test_sentences_are_drawn_by_id_and_none_is_a_document() -> None:
    documents = [
        Document(str(one["_id"]), str(one["text"]), str(one["text"]), str(one["_id"]), {}) for one in records(3000)
    ]
    drawn = few_sentences(documents, len(documents))
    assert 0 < len(drawn) <= 4000
    assert len({one.text for one in drawn}) == len(drawn)
    assert not {one.text for one in drawn} & {document.text for document in documents}
    assert all(one.text in documents[one.row].text and one.id.startswith(f"{documents[one.row].id}#") for one in drawn)
    turned = few_sentences(reversed(documents), len(documents))
    assert {one.text for one in turned} == {one.text for one in drawn}


def test_which_dictionary_an_index_gets(corpus: Corpus, tmp_path: Path, as_shipped: None) -> None:
    explainer = random_explainer()
    built = build_index(corpus, explainer, tmp_path / "own", SMALL)
    assert built.dictionary == "learned from this corpus"
    learned = open_index(tmp_path / "own").explainer
    assert learned.name == "toy-own"
    assert learned.sae.features == 64
    assert learned.internalizers.keys() == explainer.internalizers.keys()
    assert learned.encoder_identity == explainer.encoder_identity
    figures = learned.metrics["pairs"]
    assert {"explained", "remainder_fraction", "features", "explained_untrained", "margin"} <= figures.keys()
    assert any(feature.label for feature in learned.features)
    verify_index(tmp_path / "own")

    few = Corpus((write_corpus(tmp_path / "few.jsonl", records(149)),))
    built = build_index(few, explainer, tmp_path / "few", SMALL)
    assert "149 passages; not measured below 150" in built.dictionary
    assert open_index(tmp_path / "few").explainer.digest == load(tmp_path / "few" / "explainer").digest
    assert open_index(tmp_path / "few").explainer.name == "toy"
    built = build_index(few, explainer, tmp_path / "few-own", OWN)
    assert built.dictionary == "learned from this corpus (149 passages; not measured below 150)"
    assert open_index(tmp_path / "few-own").explainer.name == "toy-own"

    built = build_index(
        corpus, explainer, tmp_path / "other", replace(SMALL, dictionary=tmp_path / "own" / "explainer")
    )
    assert built.dictionary == "that of toy-own"
    for shard in ("000000", "000003"):
        a, b = (content(tmp_path / name / "shards" / shard) for name in ("own", "other"))
        assert a == b, "coded in a second pass or at once: the same bytes"


def test_the_verdict_stands_in_the_index(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_index(corpus, random_explainer(), tmp_path / "index", OWN)
    index = open_index(tmp_path / "index")
    app(["index", "info", str(tmp_path / "index")], standalone_mode=False)
    told = " ".join(capsys.readouterr().out.split())
    figures = index.explainer.metrics["pairs"]
    word = verdict(figures["explained"], figures["explained_untrained"]).word
    assert f"learned from this corpus; {word}: features explain" in told
    found = checkup(index).to_dict()
    assert {name: found[name] for name in ("pairs", "explained", "margin")} == {
        name: figures[name] for name in ("pairs", "explained", "margin")
    }, "of rows that were held out, as index info has it"
    advised = " ".join(checkup(index).advice)
    assert ("good enough" in advised) <= (word == "good here")
    assert 0 <= found["named_fraction"] <= found["explained"] + 1e-3
    assert {"verdict", "unread", "unknown", "features", "remainder_fraction"} <= found.keys()
    few = Corpus((write_corpus(tmp_path / "few.jsonl", records(20)),))
    build_index(few, random_explainer(), tmp_path / "few", SMALL)
    assert checkup(open_index(tmp_path / "few")).verdict == "too few documents"
    app(["index", "info", str(tmp_path / "few")], standalone_mode=False)
    assert "not learned from this corpus; xetrieval doctor" in " ".join(capsys.readouterr().out.split())


def test_too_little_to_measure_is_still_learned_from_this_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Corpus((write_corpus(tmp_path / "five.jsonl", records(5)),))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        build_index(corpus, random_explainer(), tmp_path / "index", OWN)
    app(["index", "info", str(tmp_path / "index")], standalone_mode=False)
    told = " ".join(capsys.readouterr().out.split())
    assert "learned from this corpus" in told
    assert "not learned from this corpus" not in told


def test_verdicts_have_limits() -> None:
    assert verdict(0.82, 0.36).word == "good here"
    assert verdict(0.82, 0.60).word == "partly"
    assert verdict(0.66, 0.46).word == "partly"
    assert verdict(0.69, 0.64).word == "not made for this"
    assert verdict(0.45, 0.10).word == "not made for this"
    assert verdict(0.69, 0.64).why == (
        "features explain 0.69 of the scores without the bias, 0.05 more than untrained directions (partly needs 0.50 "
        "and 0.15)"
    )


def test_an_explainer_of_ones_own_keeps_its_dictionary(corpus: Corpus, tmp_path: Path) -> None:
    built = build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    assert built.dictionary == "that of toy"
    assert open_index(tmp_path / "index").explainer.name == "toy"


def test_dictionaries_that_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    explainer = random_explainer()
    with pytest.raises(InputError, match="no explainer there"):
        build_index(corpus, explainer, tmp_path / "index", replace(SMALL, dictionary="nowhere"))
    with pytest.raises(MismatchError, match="is for a different encoder from that of toy"):
        build_index(corpus, explainer, tmp_path / "index", replace(SMALL, dictionary="shipped"))
    with pytest.raises(InputError, match="dictionary 3: give corpus"):
        BuildConfig(dictionary=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="seed -1"):
        BuildConfig(seed=-1)
    assert not (tmp_path / "index").exists()
    build_index(corpus, explainer, tmp_path / "index", SMALL)
    with pytest.raises(InputError, match="are for a new index"):
        build_index(corpus, explainer, tmp_path / "index", replace(OWN, adding=True))


def test_same_corpus_and_seed_same_bytes(corpus: Corpus, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        build_index(corpus, random_explainer(), tmp_path / name, replace(OWN, seed=seed))
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert content(tmp_path / "a") != content(tmp_path / "c")
    again = build_index(corpus, random_explainer(), tmp_path / "a", OWN)
    assert (again.added, again.unchanged) == (0, 200)
    with pytest.raises(InputError, match="already contains an index"):
        build_index(corpus, random_explainer(), tmp_path / "a", replace(OWN, seed=1))


def test_an_addition_keeps_the_dictionary(corpus: Corpus, tmp_path: Path) -> None:
    build_index(corpus, random_explainer(), tmp_path / "index", OWN)
    before = (tmp_path / "index" / "explainer" / "config.json").read_bytes()
    more = Corpus((write_corpus(tmp_path / "more.jsonl", records(230)),))
    built = build_index(more, load(tmp_path / "index" / "explainer"), tmp_path / "index", replace(SMALL, adding=True))
    assert (built.added, built.unchanged, built.dictionary) == (30, 200, "the dictionary of the index")
    assert (tmp_path / "index" / "explainer" / "config.json").read_bytes() == before


def test_vectors_without_texts_give_features_without_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((160, 64)) + 3 * rng.standard_normal((8, 64))[rng.integers(0, 8, 160)]
    np.save(tmp_path / "v.npy", (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32))
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "i", replace(OWN, force=True))
    learned = open_index(tmp_path / "i").explainer
    assert not any(feature.label for feature in learned.features)
    assert learned.provenance["sentences"] == 0
    assert "held-out documents" in learned.metrics["pairs"]["queries"]


def test_a_corpus_that_cannot_be_learned_from(tmp_path: Path, as_shipped: None) -> None:
    np.save(tmp_path / "v.npy", np.tile(np.eye(64, dtype=np.float32)[:1], (160, 1)))
    alike = Corpus((), vectors=tmp_path / "v.npy")
    built = build_index(alike, random_explainer(), tmp_path / "index", replace(SMALL, force=True))
    assert built.dictionary == "that of toy: nothing can be learned from this corpus's vectors"
    with pytest.raises(InputError, match="all rows are equal"):
        build_index(alike, random_explainer(), tmp_path / "asked", replace(OWN, force=True))


class Killed(BaseException):
    """The process is gone."""


def dies(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, at: int, *, after: bool) -> None:
    """The at-th call of a function ends the process, before or after it did its work."""
    real, calls = getattr(place, name), [0]

    def dying(*given: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == at and not after:
            raise Killed
        made = real(*given, **named)
        if calls[0] == at:
            raise Killed
        return made

    monkeypatch.setattr(place, name, dying)


POINTS = [
    (ShardWriter, "append", 3),
    (ShardWriter, "close", 2),
    (own, "few_sentences", 1),
    (own, "read_texts", 2),
    (fitting_own, "train_sae", 1),
    (fitting_own, "write_sae", 1),
    (fitting_own, "label_features", 1),
    (fitting_own, "measure_own", 1),
    (own, "learn_own", 1),
    (own, "write_text", 1),
    (ShardWriter, "append_codes", 5),
    (ShardWriter, "seal", 2),
    (shards.ShardMaker, "make", 7),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("xetrieval.configs.rule.STEPS", 12)
        patched.setattr(own, "SENTENCE_BLOCK", 40)
        source = Corpus((write_corpus(folder / "corpus.jsonl", records(200)),))
        build_index(source, random_explainer(), folder / "index", OWN)
    return content(folder / "index")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("place", "name", "at"), POINTS, ids=[f"{name}-{at}" for _, name, at in POINTS])
def test_a_build_that_dies_is_finished_by_the_same_command(
    place: Any,
    name: str,
    at: int,
    after: bool,
    whole: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own, "SENTENCE_BLOCK", 40)
    source = Corpus((write_corpus(tmp_path / "corpus.jsonl", records(200)),))

    def build() -> Built:
        return build_index(source, random_explainer(), tmp_path / "index", OWN)

    with monkeypatch.context() as patched:
        dies(patched, place, name, at, after=after)
        with pytest.raises(Killed):
            build()
    assert build().documents == 200
    assert content(tmp_path / "index") == whole


def test_restart_throws_away_what_was_learned(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        dies(patched, ShardWriter, "append_codes", 2, after=True)
        with pytest.raises(Killed):
            build_index(corpus, random_explainer(), tmp_path / "index", OWN)
    with pytest.raises(InputError, match="unfinished build of a different corpus"):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    built = build_index(corpus, random_explainer(), tmp_path / "index", replace(SMALL, restart=True))
    assert built.dictionary == "that of toy"
    build_index(corpus, random_explainer(), tmp_path / "plain", SMALL)
    assert content(tmp_path / "index") == content(tmp_path / "plain")


def test_no_text_is_encoded_twice(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explainer = replace(random_explainer(), cache=False)
    seen: list[str] = []
    encoder = explainer.encoder
    real = type(encoder).encode_document

    def counting(self: Any, texts: Any) -> Any:
        seen.extend(texts)
        return real(self, texts)

    monkeypatch.setattr(type(encoder), "encode_document", counting)
    with monkeypatch.context() as patched:
        dies(patched, fitting_own, "label_features", 1, after=False)
        with pytest.raises(Killed):
            build_index(corpus, explainer, tmp_path / "index", OWN)
    build_index(corpus, explainer, tmp_path / "index", OWN)
    assert len(seen) == len(set(seen)) > 200


def test_pairs_without_queries_leave_out_the_pieces_of_the_same_document() -> None:
    x = np.array([[1, 0], [0.9, 0.1], [0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    query, document = fitting_own.nearest_others(x[:1], np.array([0]), Stack([x]), np.array([0, 0, 2, 3, 4]), 2)
    assert (query.tolist(), document.tolist()) == ([0, 0], [2, 3])
    query, document = fitting_own.nearest_others(x[:1], np.array([0]), Stack([x]), np.arange(5), 2)
    assert document.tolist() == [1, 2]


def test_pieces_are_the_documents_that_are_learned_from(tmp_path: Path) -> None:
    source = Corpus((write_corpus(tmp_path / "c.jsonl", records(90)),), ChunkConfig(16))
    built = build_index(source, random_explainer(), tmp_path / "index", OWN)
    learned = open_index(tmp_path / "index").explainer
    assert built.documents == learned.provenance["documents"] > 150
    assert learned.metrics["pairs"]["pairs"] > 0


def test_a_fit_on_few_documents_is_small_and_says_so(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c.jsonl", records(144))
    explainer = fit([corpus], "hashing:64", [], tmp_path / "out", FitConfig(cache=tmp_path / "cache"))
    assert explainer.sae.features == 64
    held, few = held_out_notes(explainer)
    assert held.startswith("held-out vectors (")
    assert few.startswith("warning: 144 documents are few: the method was not measured below 150")
