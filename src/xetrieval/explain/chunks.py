"""Documents longer than their encoder reads: scored piece by piece, and the piece that wins is explained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import split_sentences
from ..encoders import CachedEncoder, CountsTokens, Encoder
from .explanation import Chunk, Explanation

if TYPE_CHECKING:
    from .explainer import Explainer


def explain_chunks(explainer: Explainer, query: str, document: str) -> Explanation:
    """The explanation of the chunk with the highest score, with all chunks and their scores."""
    places = chunk_places(explainer.encoder, document)
    texts = [document[start:end] for start, end in places]
    scores = explainer.explain_pairs([query] * len(texts), texts).attribution.score
    best = int(np.argmax(scores))
    chunks = tuple(Chunk(start, end, float(score)) for (start, end), score in zip(places, scores, strict=True))
    return replace(explainer.explain(query, texts[best]), chunk=best, chunks=chunks)


def chunk_places(encoder: Encoder, document: str) -> list[tuple[int, int]]:
    """Runs of whole sentences that the encoder reads to their end, as many to a chunk as it can.

    A sentence that is longer than the limit by itself is a chunk, and is cut there. An encoder that cannot count what
    it leaves unread gets the document whole.
    """
    sentences = split_sentences(document)
    inner = encoder.encoder if isinstance(encoder, CachedEncoder) else encoder  # a cache encodes what it counts
    if len(sentences) < 2 or not isinstance(inner, CountsTokens):
        return [(0, len(document))]
    places, first = [], 0
    while first < len(sentences):
        last = _last_read(inner, document, [s.end for s in sentences], sentences[first].start, first)
        places.append((sentences[first].start, sentences[last].end))
        first = last + 1
    return places


def _last_read(encoder: CountsTokens, document: str, ends: list[int], start: int, first: int) -> int:
    """The last sentence that still fits behind `start`: found by doubling, then by halving."""

    def fits(last: int) -> bool:
        return int(encoder.token_counts([document[start : ends[last]]], "document").unread[0]) == 0

    low, step = first, 1  # `low` is taken in any case
    while low + step < len(ends) and fits(low + step):
        low, step = low + step, step * 2
    high = min(low + step, len(ends))  # does not fit, or is past the end
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
