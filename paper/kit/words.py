"""Deletes words from a document by their attribution and encodes it again: how faithful token attribution is.

A curve to compare with `faithfulness`: the n words with the largest attribution are deleted, or only they are kept,
and the text is encoded again. The attribution of a word is its tokens' part of <q, z>, exact for mean pooling.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xetrieval.arrays import Float32, Float64
from xetrieval.data.benchmark import Benchmark
from xetrieval.encoders import Encoder, read_texts, token_vectors
from xetrieval.errors import InputError
from xetrieval.evaluate.faithfulness import FaithfulnessConfig, curves_of
from xetrieval.evaluate.pairs import InterventionConfig, draw_pairs
from xetrieval.evaluate.vectors import BenchmarkVectors

WORD: Final = re.compile(r"\w+(?:['’-]\w+)*")


def word_curves(
    encoder: Encoder, benchmark: Benchmark, vectors: BenchmarkVectors, config: FaithfulnessConfig | None = None
) -> dict[str, Any]:
    """{steps, orders: {attribution, random}}, curves and areas as in `faithfulness`, over words instead of features.

    Raises:
        InputError: the encoder does not expose its tokens.
    """
    config = config or FaithfulnessConfig()
    rng = np.random.default_rng(config.seed)
    pairs = draw_pairs(benchmark, vectors, InterventionConfig(queries=config.queries, seed=config.seed), rng)
    q = vectors.queries[pairs.query]
    texts = [benchmark.documents[row].text for row in pairs.document]
    ordered = [_words(encoder, text, query) for text, query in zip(texts, q, strict=True)]
    orders = {"attribution": ordered, "random": [[words[i] for i in rng.permutation(len(words))] for words in ordered]}
    return {
        "dataset": benchmark.name,
        "pairs": len(q),
        "words": round(float(np.mean([len(words) for words in ordered])), 1),
        "steps": list(config.steps),
        "orders": {name: _curves(encoder, texts, q, order, pairs.query, config) for name, order in orders.items()},
    }


def _words(encoder: Encoder, text: str, q: Float32) -> list[tuple[int, int]]:
    """Spans of the words that were read, by decreasing part of the score."""
    tokens = token_vectors(encoder, text, "document")
    if tokens is None:
        raise InputError(f"{encoder.identity.name} does not expose its tokens, so words have no attribution")
    parts = tokens.vectors @ q
    words = [match.span() for match in WORD.finditer(text)]
    starts = np.array([start for start, _ in words] or [0])
    carried = np.zeros(len(words))
    for (start, end), kind, part in zip(tokens.spans, tokens.kinds, parts, strict=True):
        place = int(np.searchsorted(starts, max(start, end - 1), side="right")) - 1
        if kind == "text" and words and place >= 0 and end <= words[place][1]:
            carried[place] += float(part)
    read = max((end for _, end in tokens.spans), default=0)
    order = [int(i) for i in np.argsort(-carried, kind="stable") if words[int(i)][1] <= read]
    return [words[i] for i in order]


def _curves(
    encoder: Encoder,
    texts: list[str],
    q: Float32,
    order: list[list[tuple[int, int]]],
    query: NDArray[np.int64],
    config: FaithfulnessConfig,
) -> dict[str, Any]:
    whole = _scores(encoder, texts, q)
    deleted, inserted = [], []
    for step in config.steps:
        deleted.append(_scores(encoder, [_without(t, w[:step]) for t, w in zip(texts, order, strict=True)], q) / whole)
        inserted.append(_scores(encoder, [_only(t, w[:step]) for t, w in zip(texts, order, strict=True)], q) / whole)
    return asdict(curves_of(deleted, inserted, query, config))


def _scores(encoder: Encoder, texts: list[str], q: Float32) -> Float64:
    """<q, z> of each text; an empty one scores 0."""
    some = [i for i, text in enumerate(texts) if text.strip()]
    out = np.zeros(len(texts))
    if some:
        z = read_texts(encoder, [texts[i] for i in some], "document").vectors
        out[some] = np.einsum("nm,nm->n", q[some], z)
    return out


def _without(text: str, words: list[tuple[int, int]]) -> str:
    out, at = [], 0
    for start, end in sorted(words):
        out.append(text[at:start])
        at = end
    return "".join([*out, text[at:]])


def _only(text: str, words: list[tuple[int, int]]) -> str:
    return " ".join(text[start:end] for start, end in sorted(words))
