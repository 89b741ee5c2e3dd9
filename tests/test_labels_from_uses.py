"""Labels made from where features are used."""

from __future__ import annotations

import numpy as np
import pytest

from xetrieval.arrays import Float32
from xetrieval.labels.from_uses import WORDS, UseLabel, _written, labels_from_uses, word_families
from xetrieval.labels.uses import uses_of
from xetrieval.sae import SparseAutoencoder
from xetrieval.terms import stem, terms_of

TOPICS = ("whisky", "tax", "knee", "tango")
BESIDE = {
    "whisky": ["malt", "barrel", "cask"],
    "tax": ["income", "refund", "audit"],
    "knee": ["joint", "tendon", "surgeon"],
    "tango": ["dance", "partner", "music"],
}
DIMENSION = 16


def one_hot() -> SparseAutoencoder:
    """Feature j is active where direction j is."""
    eye = np.eye(len(TOPICS), DIMENSION, dtype=np.float32)
    return SparseAutoencoder(eye, np.zeros(len(TOPICS), np.float32), eye.T.copy(), np.zeros(DIMENSION, np.float32), k=2)


def vectors_of(texts: list[str]) -> Float32:
    """A direction a topic and one a text, so that texts of one topic are neighbours."""
    out = np.zeros((len(texts), DIMENSION), np.float32)
    rng = np.random.default_rng(0)
    for row, text in enumerate(texts):
        for j, topic in enumerate(TOPICS):
            if any(word in text for word in (topic, *BESIDE[topic])):
                out[row, j] = 1.0
        out[row, len(TOPICS) :] = rng.normal(scale=0.12, size=DIMENSION - len(TOPICS))
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True), np.float32)


@pytest.fixture
def corpus() -> tuple[list[str], Float32, np.ndarray]:
    rng = np.random.default_rng(1)
    texts = []
    for i in range(60):
        topic = TOPICS[i % 4]
        words = [*rng.permutation(BESIDE[topic])[:2], f"page{i}"]
        texts.append(f"A {topic} for the {words[0]}, and the {words[1]} of {words[2]}.")
    return texts, vectors_of(texts), np.arange(60)


def test_inflections_are_one_stem() -> None:
    for group in (
        ["distilled", "distillers", "distills"],
        ["infection", "infections", "infective", "infected"],
        ["education", "educational", "educate"],
        ["words", "wording", "word"],
    ):
        assert len({stem(word) for word in group}) == 1, group
    assert stem("Größen") == "größen"
    assert stem("B12") == "b12"
    assert stem("date_time") == stem("date-time") == stem("DateTime") == stem("datetimes")
    assert stem("ring") == "ring"


def test_terms_are_counted_by_text_and_fragments_left_out() -> None:
    texts = ["The United States tax.", "United States and taxes", "A tax, the United States, tax", "Nothing here"]
    terms = terms_of(texts, least=2)
    assert terms.stems == ["tax", "unit stat"]
    assert terms.written == ["tax", "United States"]
    assert [found.tolist() for found in terms.of_text] == [[0, 1], [0, 1], [0, 1], []]


def test_stop_words_are_terms_where_they_are_quoted() -> None:
    texts = [
        "When to use “who” and “whom”",
        "Is it 'who' or 'whom'?",
        'Someone "who is" late',
        "Those who don't, who do",
    ]
    terms = terms_of(texts, least=2)
    assert {"“who”", "“whom”"} <= set(terms.written)
    place = terms.written.index("“who”")
    assert [place in found for found in terms.of_text] == [True, True, True, False]


def test_terms_are_written_as_inside_a_clause_and_as_in_code() -> None:
    texts = [
        "Threads are slow. The types' names", "Threads in Python, and __slots__", "The threads of Python use __slots__",
        "python and types",
    ]  # fmt: skip
    terms = terms_of(texts, least=2)
    assert sorted(terms.written) == ["Python", "__slots__", "threads", "types"]


def test_commands_of_tex_are_not_terms() -> None:
    terms = terms_of([r"The state $|0\rangle$ of a spin", r"A state \rangle", r"\rangle: a state"])
    assert terms.written == ["state"]


def test_words_that_begin_alike_are_one_family() -> None:
    found = word_families(
        ["bacteria cell", "bacterial", "bacteriophage", "hypoxia", "hypoxic", "form", "format", "cells"]
    )
    assert found["bacteria"] == found["bacterial"] != found["bacteriophage"]
    assert found["hypoxia"] == found["hypoxic"]
    assert found["form"] != found["format"]


def test_uses_are_pairs_with_other_passages(corpus: tuple[list[str], Float32, np.ndarray]) -> None:
    _, vectors, owner = corpus
    uses = uses_of(one_hot(), vectors, owner, owner, owner)
    assert (uses.pairs[:, 0] != uses.pairs[:, 1]).all()
    assert (uses.counts > 20).all()
    for j, pairs in enumerate(uses.of):
        assert {row % 4 for row in uses.pairs[pairs].ravel().tolist()} == {j}
        assert (uses.fractions[j] >= 0.1).all()
        assert (np.diff(uses.fractions[j]) <= 0).all()
        assert (uses.activations[j] > 0).all()


def test_a_sentence_is_no_hit_and_its_own_passage_is_not_its_hit() -> None:
    vectors = np.eye(3, 4, dtype=np.float32) + 0.5
    vectors = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
    sae = SparseAutoencoder(
        np.eye(4, dtype=np.float32), np.zeros(4, np.float32), np.eye(4, dtype=np.float32), np.zeros(4, np.float32), k=4
    )
    uses = uses_of(sae, vectors, np.arange(3), np.arange(2), np.array([0, 1, 0]))
    assert sorted(map(tuple, uses.pairs.tolist())) == [(0, 1), (1, 0), (2, 1)]


@pytest.mark.parametrize("encoded", [True, False])
def test_each_feature_is_labelled_with_what_its_uses_have_in_common(
    corpus: tuple[list[str], Float32, np.ndarray], encoded: bool
) -> None:
    texts, vectors, owner = corpus
    encode = vectors_of if encoded else None
    found = labels_from_uses(one_hot(), vectors, texts, owner, encode)
    assert [one.label for one in found] == list(TOPICS)
    assert all(one.threshold == 0 and one.uses > 20 for one in found)
    assert labels_from_uses(one_hot(), vectors, texts, owner, encode) == found


def test_features_with_no_term_in_common_or_few_uses_have_no_label(
    corpus: tuple[list[str], Float32, np.ndarray],
) -> None:
    _, vectors, owner = corpus
    nothing = [f"only{i} here{i}" for i in range(60)]
    assert {one.label for one in labels_from_uses(one_hot(), vectors, nothing, owner)} == {None}
    few = labels_from_uses(one_hot(), vectors[:3], ["whisky cask"] * 3, owner[:3])
    assert few == [UseLabel(None, uses=one.uses) for one in few]


def test_no_two_features_have_one_label(corpus: tuple[list[str], Float32, np.ndarray]) -> None:
    texts, vectors, owner = corpus
    same = [text.replace("tango", "whisky").replace("tax", "whisky") for text in texts]
    labels = [one.label for one in labels_from_uses(one_hot(), vectors, same, owner) if one.label]
    assert len(labels) == len(set(labels)) >= 3


def test_no_two_labels_are_nearly_the_same(corpus: tuple[list[str], Float32, np.ndarray]) -> None:
    texts, vectors, owner = corpus
    near = [text.replace("tango", "date_time").replace("tax", "datetime") for text in texts]
    labels = [one.label for one in labels_from_uses(one_hot(), vectors, near, owner) if one.label]
    folded = [frozenset(label.replace("_", "").split(", ")) for label in labels]
    assert len(folded) == len(set(folded)) >= 3
    assert not any({"datetime", "date_time"} <= set(label.split(", ")) for label in labels)


def test_two_terms_that_are_often_side_by_side_are_one_phrase() -> None:
    texts = ["a leak of memory", "memory leaks", "memory leaks here", "fix memory leaks", "leaks and a pump", "a pump"]
    terms = terms_of(texts, least=2)
    place = {term: t for t, term in enumerate(terms.written)}
    contains = np.array([[t in found for t in range(len(place))] for found in terms.of_text])
    assert _written((place["leaks"], place["memory"]), terms, texts, contains) == "memory leaks"
    assert _written((place["leaks"], place["pump"]), terms, texts, contains) == "leaks, pump"
    assert _written((place["pump"],), terms, texts, contains) == "pump"


def test_a_label_holds_from_the_activation_of_most_of_its_uses() -> None:
    texts = [f"A whisky of page{i}." if i < 20 else f"Some other matter of page{i}." for i in range(60)]
    vectors = np.zeros((60, DIMENSION), np.float32)
    rng = np.random.default_rng(0)
    vectors[:, 4:] = rng.normal(scale=0.1, size=(60, DIMENSION - 4))
    vectors[:20, 0], vectors[20:, 0], vectors[20:, 1] = 1.0, 0.5, 0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    (found, *_) = labels_from_uses(one_hot(), vectors, texts, np.arange(60))
    assert found.label == "whisky"
    assert 0.6 < found.threshold < 1.0


def test_a_label_is_shown_with_texts_that_are_near_to_it(corpus: tuple[list[str], Float32, np.ndarray]) -> None:
    texts, vectors, owner = corpus
    found = labels_from_uses(one_hot(), vectors, texts, owner, vectors_of)
    assert all(one.near_from is not None for one in found)
    for j, one in enumerate(found):
        nearness = vectors @ vectors_of([one.label or ""])[0]
        near = np.flatnonzero(nearness >= (one.near_from or 0))
        assert len(near)
        assert {row % 4 for row in near.tolist()} == {j}
    assert {one.near_from for one in labels_from_uses(one_hot(), vectors, texts, owner)} == {None}


def test_every_feature_has_words_of_the_corpus(corpus: tuple[list[str], Float32, np.ndarray]) -> None:
    texts, vectors, owner = corpus
    found = labels_from_uses(one_hot(), vectors, texts, owner)
    assert all(0 < len(one.words) <= WORDS for one in found if one.uses)
    assert all(one.label is None or set(one.label.split(", ")) & set(one.words) for one in found)
