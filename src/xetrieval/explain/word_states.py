"""The words of a text that carry the activations of its features, as an index stores them.

The vector of a text is the sum of its tokens, so what a word adds to the features S of the text is

    (W_S^T W_S + I)^-1 W_S^T h,   h the sum of the word's tokens.

Unlike the exact split of a share, this does not depend on the query, is damped, and uses all features of the text as S.
Only the 32 words that add most to the text's vector are kept, at 8 bits per number, because a dictionary may be trained
after the texts are encoded but before their codes are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, IntArray
from ..encoders import Encoder, TokenVectors, token_vectors
from ..sae import SparseAutoencoder, SparseCodes
from .words import as_shown, key_of, rank_of, strongest, word_at, words_of_tokens

DAMPING: Final = 1.0  # how strongly other features damp a feature's part in a word; this value agrees best with shares
LEAST_ALIKE: Final = 1e-3  # the cosine of a vector and the mean of its tokens may be this much below 1
KEPT: Final = 32  # words of a text
LONGEST: Final = 63  # characters of a word that can be highlighted
FURTHEST: Final = 1 << 24  # characters of a text; words beyond are not stored
Places = NDArray[np.uint32]  # start of a word, 24 bits; its length, 6 bits; its rank, 2 bits; 0 means no word


class WordStates(NamedTuple):
    """The words of some texts, one text after the other."""

    counts: NDArray[np.int64]  # [n] words of each text
    places: Places  # [words]
    scales: Float32  # [words]
    states: NDArray[np.int8]  # [words, m]; state x scale is the sum of the word's tokens

    @classmethod
    def unknown(cls, dimension: int) -> WordStates:
        """An entry for one text whose words are not known."""
        nothing = np.empty(0, np.uint32), np.empty(0, np.float32), np.empty((0, dimension), np.int8)
        return cls(np.zeros(1, np.int64), *nothing)

    @classmethod
    def joined(cls, texts: Sequence[WordStates]) -> WordStates:
        """Join the words of several texts into one object."""
        return cls(*(np.concatenate(column) for column in zip(*texts, strict=True)))

    def each(self) -> Iterator[WordStates]:
        """Split this object into one for each text."""
        ends = np.cumsum(self.counts).tolist()
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            some = slice(start, end)
            yield WordStates(np.array([end - start]), self.places[some], self.scales[some], self.states[some])


class DocumentWords(NamedTuple):
    """The words of some documents that carry their features' activations, one document after the other."""

    counts: NDArray[np.int64]  # [n] features of each document
    features: IntArray
    places: Places  # [features, 3]; 0: no further word


def word_states(text: str, tokens: TokenVectors, z: Float32) -> WordStates:
    """The words of one text that add most to its vector; repetitions are added up.

    Args:
        z: the text's unit vector [m]. If it is not the mean of the tokens, the words are not known.
    """
    mean = tokens.vectors.mean(axis=0)
    if not float(mean @ z) >= (1 - LEAST_ALIKE) * np.linalg.norm(mean):
        return WordStates.unknown(len(z))
    kept = [i for i, kind in enumerate(tokens.kinds) if kind == "text"]
    places, owner = words_of_tokens(text, [tokens.spans[i] for i in kept])
    h = tokens.vectors[kept]
    added = h @ mean
    keys = [key_of(word_at(text, place)) for place in places]
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    key_of_word = np.array([number[key] for key in keys], np.int64)
    by_word = np.bincount(owner, added, len(places))
    by_key = np.bincount(key_of_word, by_word, len(number))
    chosen = np.sort(np.argsort(-by_key, kind="stable")[:KEPT])
    spelling = np.lexsort((-by_word, key_of_word))  # the spelling that adds most comes first
    first = spelling[np.searchsorted(key_of_word[spelling], chosen)] if keys else chosen
    packed = [_packed(text, places[i], rank_of(keys[i])) for i in first.tolist()]
    key_of_token = key_of_word[owner]
    sums = [h[key_of_token == key].sum(axis=0, dtype=np.float64) for key in chosen.tolist()]
    states = np.array(sums).reshape(-1, h.shape[1])
    scales = np.abs(states).max(axis=1, initial=1e-30) / 127
    codes = np.rint(states / scales[:, None]).astype(np.int8)
    return WordStates(np.array([len(chosen)]), np.array(packed, np.uint32), scales.astype(np.float32), codes)


def _packed(text: str, place: tuple[int, int], rank: int) -> int:
    start, end = place
    start -= len(word_at(text, place)) - (end - start)
    return start << 8 | min(end - start, LONGEST) << 2 | rank if start < FURTHEST else 0


def strongest_places(words: WordStates, directions: Float32, features: IntArray) -> Places:
    """The words [S, 3] of one text that carry most of the activations of its S features; 0: no further word.

    Args:
        directions: W^T of all features [F, m].
    """
    w = directions[features]
    gram = w @ w.T + DAMPING * np.eye(len(w), dtype=np.float32)
    carried = np.linalg.solve(gram, w @ words.states.T.astype(np.float32)) * words.scales
    chosen = strongest(words.places & 3, carried.astype(np.float64))
    places: Any = np.append(words.places, np.uint32(0))[chosen]
    return np.asarray(places, np.uint32)


def document_words(words: WordStates, directions: Float32, views: Sequence[SparseCodes]) -> DocumentWords:
    """The strongest words of each document, for its features in any view.

    Args:
        directions: W^T of all features [F, m]. views: codes of the documents in each view.
    """
    nothing = np.empty(0, np.int32)
    features = [_active(views, row) if known else nothing for row, known in enumerate((words.counts > 0).tolist())]
    places = [strongest_places(own, directions, some) for own, some in zip(words.each(), features, strict=True)]
    counts = np.array([len(some) for some in features], np.int64)
    return DocumentWords(counts, np.concatenate(features), np.concatenate(places))


def words_still_active(words: DocumentWords, views: Sequence[SparseCodes]) -> DocumentWords:
    """The words of each document, for those of its features that are still active in its new codes."""
    row = np.repeat(np.arange(len(words.counts)), words.counts)
    pairs = zip(row.tolist(), words.features.tolist(), strict=True)
    active = [set(_active(views, row).tolist()) for row in range(len(words.counts))]
    kept = np.fromiter((j in active[row] for row, j in pairs), bool, len(row))
    counts = np.bincount(row[kept], minlength=len(words.counts)).astype(np.int64)
    return DocumentWords(counts, words.features[kept], words.places[kept])


def _active(views: Sequence[SparseCodes], row: int) -> IntArray:
    return np.unique(np.concatenate([codes.support(row) for codes in views]))


def query_words(encoder: Encoder, sae: SparseAutoencoder, text: str, q: Float32) -> dict[int, tuple[str, ...]]:
    """The words of a query that carry the activation of each of its features; empty if they are not known.

    Args:
        q: the query's unit vector [m].
    """
    tokens = token_vectors(encoder, text, "query") if text else None
    if tokens is None:
        return {}
    found = document_words(word_states(text, tokens, q), sae.directions, [sae.encode(q[None])])
    return {j: words_at(text, places) for j, places in zip(found.features.tolist(), found.places.tolist(), strict=True)}


def words_at(text: str, places: Sequence[int]) -> tuple[str, ...]:
    """The words at some positions in a text."""
    ends = ((place >> 8, (place >> 8) + (place >> 2 & LONGEST)) for place in places if place)
    return tuple(as_shown(text[start:end]) for start, end in ends)
