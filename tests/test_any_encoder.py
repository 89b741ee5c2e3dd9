"""An index of any encoder, in one command: it learns features of its own, and belongs to that encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from index_data import SMALL
from test_cli import refused, run
from test_own_dictionary import records

from xetrieval import load, open_encoder, open_index
from xetrieval.encoders import HashingEncoder
from xetrieval.encoders.same import PROBE_FACT
from xetrieval.errors import InputError, MismatchError
from xetrieval.explain.blank import is_without_features, without_features
from xetrieval.index import BuildConfig, Corpus, build_index

pytest.importorskip("torch")
pytest.importorskip("numba")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in records(60)))
    return path


def embed(texts: list[str]) -> np.ndarray:
    return HashingEncoder(48).encode_document(texts)


def test_one_command_builds_searches_and_adds(corpus: Path, tmp_path: Path) -> None:
    built = run("index", "build", corpus, "--encoder", "hashing:48", "--output", tmp_path / "ix")
    assert built.returncode == 0, built.stderr
    assert "learned from this corpus" in built.stderr
    index = open_index(tmp_path / "ix")
    assert index.learned_here
    assert index.explainer.encoder_identity.dimension == 48
    assert index.explainer.name == "hashing-48-own"
    assert index.explainer.views == ("original",)
    for hit in index.search("kidney stones cause pain", k=5):
        parts = hit.explanation
        assert parts.bias + sum(term.share for term in parts.terms) + parts.remainder == pytest.approx(
            hit.score, abs=1e-5
        )
    (tmp_path / "more.jsonl").write_text('{"_id": "new", "text": "Bread dough needs time to rise."}\n')
    assert run("index", "add", tmp_path / "ix", tmp_path / "more.jsonl").returncode == 0
    assert open_index(tmp_path / "ix").search("bread dough needs time to rise", k=1)[0].doc_id == "new"
    again = run("index", "build", corpus, "--encoder", "hashing:48", "--output", tmp_path / "once")
    assert again.returncode == 0
    first = load(tmp_path / "once" / "explainer")
    assert first.sae.digest == index.explainer.sae.digest, "same corpus, encoder and seed: same features"


def test_the_shipped_features_are_not_for_another_encoder(corpus: Path, tmp_path: Path) -> None:
    for more, words in ((("--dictionary", "shipped"), "different encoder"), (("-x", "minilm"), "different encoder")):
        refused(run("index", "build", corpus, "--encoder", "hashing:48", "--output", tmp_path / "ix", *more), words)
        assert not (tmp_path / "ix" / "config.json").exists()


def test_texts_that_teach_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "alike.jsonl").write_text("".join(f'{{"_id": "d{i}", "text": "the same words"}}\n' for i in range(5)))
    done = run("index", "build", tmp_path / "alike.jsonl", "--encoder", "hashing:48", "--output", tmp_path / "ix")
    refused(done, "equal")
    assert not (tmp_path / "ix" / "config.json").exists()


def test_a_function_is_recognised_later(corpus: Path, tmp_path: Path) -> None:
    encoder = open_encoder(embed, name="mine", version="1")
    build_index(Corpus((corpus,)), encoder, tmp_path / "ix", SMALL)
    explainer = load(tmp_path / "ix" / "explainer")
    assert PROBE_FACT in explainer.provenance, "the fingerprint of the function is kept"
    explainer.with_encoder(encoder)
    changed = open_encoder(lambda texts: -np.roll(embed(texts), 7, axis=1), name="mine", version="1")
    with pytest.raises(MismatchError, match="different vectors"):
        explainer.with_encoder(changed)


def test_stored_vectors_of_the_encoder_are_used(corpus: Path, tmp_path: Path) -> None:
    vectors = embed([f"{one['title']}\n{one['text']}" for one in records(60)])
    np.save(tmp_path / "v.npy", vectors)
    calls: list[int] = []

    def count(texts: list[str]) -> np.ndarray:
        calls.append(len(texts))
        return embed(texts)

    encoder = open_encoder(count, name="counted", version="1")
    build_index(Corpus((), vectors=tmp_path / "v.npy"), encoder, tmp_path / "ix", BuildConfig(force=True))
    assert sum(calls) <= 4, "documents are not encoded again"
    assert open_index(tmp_path / "ix").search(vectors[3], k=1)[0].row == 3


def test_a_base_without_features_explains_nothing_and_is_told_apart() -> None:
    blank = without_features(HashingEncoder(16), cache=False)
    assert is_without_features(blank)
    assert not is_without_features(load("minilm"))
    explanation = blank.explain("red apples", "red pears")
    assert explanation.terms == ()
    assert explanation.score == pytest.approx(explanation.bias + explanation.remainder)


def test_a_vector_file_is_not_an_encoder_of_queries(corpus: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", embed(["a", "b", "c"]))
    with pytest.raises((InputError, MismatchError), match="cannot encode text"):
        build_index(Corpus((corpus,)), open_encoder(f"vectors:{tmp_path / 'v.npy'}"), tmp_path / "ix")
