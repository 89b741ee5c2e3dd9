"""The third pass: the texts of the candidates."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from ...errors import InputError
from ...progress import Progress
from ...sae import SparseAutoencoder
from .base import Example
from .best import priority
from .blocks import Block
from .select import Candidates
from .survey import Survey


def read_candidates(
    survey: Survey, blocks: Iterable[Block], candidates: list[list[Candidates]], progress: Progress
) -> list[dict[int, Example]]:
    """For each feature, the examples of its candidates, by row.

    Raises:
        InputError: the stream differs from that of the first pass.
    """
    wanted: dict[int, list[tuple[int, float]]] = {}  # row -> features and their activations on it
    for side in candidates:
        for feature, c in enumerate(side):
            values = dict(c.top) | dict(c.sample)
            for row in {*values, *c.random, *c.hard}:
                wanted.setdefault(row, []).append((feature, values.get(row, 0.0)))
    texts: list[dict[int, Example]] = [{} for _ in range(survey.sae.features)]
    done, digest = 0, blake2b(digest_size=16)
    for block in blocks:
        for part in block.to_bytes():
            digest.update(part)
        reader = _Reader(survey.sae, block, survey.seed)
        for row in range(len(block.passages)):
            for feature, value in wanted.get(done + row, ()):
                texts[feature][done + row] = reader.example(row, feature, value)
        done += len(block.passages)
        progress("texts", done, survey.rows, "")
    if digest.digest() != survey.digest.digest():
        raise InputError("examples: the corpus changed while it was being read; run again")
    return texts


class _Reader:
    """Makes examples from one block."""

    def __init__(self, sae: SparseAutoencoder, block: Block, seed: int) -> None:
        self.sae, self.block, self.seed = sae, block, seed
        owner = block.owners()
        self.start = np.searchsorted(owner, owner)  # of the passages of the same document
        self.end = np.searchsorted(owner, owner, side="right")
        codes = sae.encode(block.vectors, bulk=True)
        self.active = [set(f[v > 0].tolist()) for f, v in zip(codes.features, codes.values, strict=True)]

    def example(self, row: int, feature: int, value: float) -> Example:
        """Row `row` as an example of a feature."""
        passages = self.block.passages
        passage = passages[row]
        sentences: list[int] = [r for r in range(int(self.start[row]), int(self.end[row])) if not passages[r].whole]
        sentence: str | None = None
        if passage.whole and sentences:
            # Use the scores before selecting the k largest: if a document is active, its sentences are rarely silent,
            # but the feature may not be among their k strongest.
            scores = self.block.vectors[sentences] @ self.sae.encoder_weight[feature]
            row = sentences[int(scores.argmax())]
            sentence = passages[row].text
        silent = [r for r in sentences if r != row and feature not in self.active[r]]
        foil = None
        if value > 0 and silent:
            order = priority(self.seed + 3, np.array(silent), np.full(len(silent), feature))
            foil = passages[silent[int(np.argmax(order))]].text
        return Example(passage.id, passage.document, passage.text, round(value, 4), sentence, foil)
