"""Texts read side by side: the same vectors, one thread a batch, nothing changed for others."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from xetrieval.encoders.minilm import minilm
from xetrieval.encoders.workers import read_side_by_side

TEXTS = [f"{'word ' * (number % 17)}{number}" for number in range(101)]


def place(texts: list[str]) -> np.ndarray:
    return np.array([[int(text.split()[-1]), len(text)] for text in texts], np.float32)


def test_vectors_come_back_in_the_order_of_the_texts() -> None:
    assert read_side_by_side(place, TEXTS, 8)[:, 0].tolist() == list(range(101))
    assert read_side_by_side(place, TEXTS[:1], 8).tolist() == place(TEXTS[:1]).tolist()


def test_batches_hold_texts_of_like_length_and_no_more_than_asked() -> None:
    lengths: list[list[int]] = []

    def read(texts: list[str]) -> np.ndarray:
        lengths.append([len(text) for text in texts])
        return place(texts)

    read_side_by_side(read, TEXTS, 8)
    assert max(map(len, lengths)) == 8
    assert sum(max(some) - min(some) for some in lengths) < 2 * (max(map(len, TEXTS)) - min(map(len, TEXTS)))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_batch_has_one_thread_and_the_setting_is_left_as_it_was(threads: int) -> None:
    before = torch.get_num_threads()
    seen: set[tuple[int, int]] = set()
    together = threading.Barrier(threads, timeout=30)  # so many batches are under way at once

    def read(texts: list[str]) -> np.ndarray:
        seen.add((threading.get_ident(), torch.get_num_threads()))
        together.wait()
        return place(texts)

    try:
        torch.set_num_threads(threads)
        read_side_by_side(read, TEXTS[: 8 * threads], 8)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len({thread for thread, _ in seen}) == threads
    assert {number for _, number in seen} == {1}


def test_an_error_in_a_batch_is_raised_and_the_setting_is_left_as_it_was() -> None:
    before = torch.get_num_threads()

    def read(_: list[str]) -> np.ndarray:
        raise ValueError("the model said no")

    with pytest.raises(ValueError, match="said no"):
        read_side_by_side(read, TEXTS, 8)
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_minilm_gives_the_model_s_own_vectors() -> None:
    encoder, texts = minilm(), ["how do vaccines work", *(f"{text} is a number of words." for text in TEXTS[:20])]
    own = encoder._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    assert np.abs(encoder.encode_document(texts) - own).max() < 2e-6
    assert np.abs(encoder.encode_query(texts[:1]) - own[:1]).max() < 2e-6


@pytest.mark.slow
def test_a_tokenizer_is_never_used_by_two_threads_at_once() -> None:
    encoder = minilm()
    failures: list[str] = []
    long = ["word " * 400, "short", *TEXTS[:30]]
    right = [column.tolist() for column in encoder.token_counts(long, "document")]
    vectors = encoder.encode_document(long)

    def count() -> None:
        for _ in range(5):
            if [column.tolist() for column in encoder.token_counts(long, "document")] != right:
                failures.append("count")

    def encode() -> None:
        for _ in range(2):
            if np.abs(encoder.encode_document(long) - vectors).max() > 1e-5:
                failures.append("vectors")

    threads = [threading.Thread(target=work) for work in (count, encode, count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
