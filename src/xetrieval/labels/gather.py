"""A corpus to examples, in three passes over a stream: nothing of the corpus stays in memory but what is chosen.

1. codes: the strongest passages, a uniform sample of the active ones, a uniform sample of all, mean vectors;
2. vectors: the silent passages nearest to a feature's mean vector;
3. texts of the candidates, with the carrying sentence of documents, and a silent sentence beside each active one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, l2norm
from ..data import Document
from ..data.passages import Passage, passages_of
from ..encoders import Encoder, PrecomputedEncoder, read_texts
from ..errors import InputError
from ..sae import SparseAutoencoder, SparseCodes
from .best import Best, priority
from .examples import Example, FeatureExamples, active_entries
from .select import Candidates, select

SIDES: Final = 2  # shown to labellers, and judged
POOL: Final = 4096  # passages of a side at large, from which random contrasts are drawn
SPARE: Final = 3  # times as many candidates as are wanted: some are repeats
SAMPLED: Final = 96  # active passages of a feature and side: for the spread, and for the histogram
COACTIVE: Final = 64  # other features that are kept for each

Report = Callable[[str, int, int, str], None]  # stage, done, total, note


class Block(NamedTuple):
    """Passages and their vectors; all passages of a document stand together in one block."""

    passages: Sequence[Passage]
    vectors: Float32  # [n, m]


Blocks = Callable[[], Iterable[Block]]  # opened three times, and the same every time


@dataclass(frozen=True)
class ExamplesConfig:
    """How many texts of each kind a feature gets on either side."""

    top: int = 10
    spread: int = 10
    contrast: int = 10  # random, and as many hard ones
    per_document: int = 9  # sentences drawn from a document, beside itself
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.top, self.spread, self.contrast) < 1 or self.per_document < 0:
            raise InputError("examples: top, spread and contrast >= 1, per_document >= 0")

    def to_dict(self) -> dict[str, Any]:
        """As a manifest records it."""
        return asdict(self)


class Gathered(NamedTuple):
    """Examples of every feature, and what they were drawn from."""

    features: list[FeatureExamples]
    passages: int
    documents: int
    digest: str  # of ids and texts, in order


def passage_blocks(
    documents: Callable[[], Iterable[Document]], encoder: Encoder, per_document: int, size: int = 4096
) -> Iterator[Block]:
    """Documents and their sentences, encoded. Wrap the encoder in a cache: the stream is read three times."""
    by_id = isinstance(encoder, PrecomputedEncoder)
    waiting: list[Passage] = []

    def encoded() -> Block:
        keys = [passage.id if by_id else passage.text for passage in waiting]
        return Block(tuple(waiting), read_texts(encoder, keys, "document").vectors)

    for document in documents():
        waiting += passages_of(document, 0 if by_id else per_document)
        if len(waiting) >= size:
            yield encoded()
            waiting.clear()
    if waiting:
        yield encoded()


def gather(
    sae: SparseAutoencoder, blocks: Blocks, config: ExamplesConfig | None = None, report: Report | None = None
) -> Gathered:
    """Examples of every feature. The same corpus and seed give the same, however it is cut into blocks.

    Raises:
        InputError: no passages, or other ones in a later pass than in the first.
    """
    config, tell = config or ExamplesConfig(), report or (lambda *_: None)
    first = _First(sae, config)
    for block in blocks():
        first.add(block)
        tell("activations", first.rows, first.rows, "")
    if not first.rows:
        raise InputError("examples: the corpus has no passages")
    hard = _hard(sae, blocks, first, config, tell)
    candidates = _candidates(first, hard, config)
    texts = _texts(sae, blocks, candidates, first, tell)
    features = [
        FeatureExamples(
            feature_id=j,
            documents=int(first.in_documents[j]),
            frequency=float(first.frequency[j]) / first.rows,
            activations=first.sampled(j),
            shown=select(candidates[j], texts, j, config.top, config.spread, config.contrast),
            judged=select(candidates[sae.features + j], texts, j, config.top, config.spread, config.contrast),
            coactive=first.jaccard(j),
        )
        for j in range(sae.features)
    ]
    return Gathered(features, first.rows, first.documents, first.digest.hexdigest())


def side_of(document: str, seed: int) -> int:
    """0 shown, 1 judged: by the document's id alone."""
    return blake2b(f"{seed}\0{document}".encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] & 1


class _First:
    """The first pass. What is kept per side is at side * F + feature."""

    def __init__(self, sae: SparseAutoencoder, config: ExamplesConfig) -> None:
        self.sae, self.seed, count = sae, config.seed, sae.features
        self.top = Best(SIDES * count, SPARE * config.top)
        self.sample = Best(SIDES * count, max(SAMPLED, SPARE * (config.top + config.spread)))
        self.pool = Best(SIDES, POOL)
        self.pool_codes: dict[int, SparseCodes] = {}
        self.frequency, self.in_documents = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.together = np.zeros(count * count, np.uint32)
        self.sums = np.zeros((count, sae.dimension), np.float64)
        self.rows = self.documents = 0
        self.digest = blake2b(digest_size=16)

    def add(self, block: Block) -> None:
        """One more block."""
        for passage in block.passages:
            self.digest.update(f"{passage.id}\0{passage.text}\0".encode("utf-8", "surrogatepass"))
        count, n = self.sae.features, len(block.passages)
        codes = self.sae.encode(block.vectors, bulk=True)
        row, feature, value = active_entries(codes)
        sides, owner = _sides(block.passages, self.seed), _owners(block.passages)
        place = sides[row] * count + feature
        self.top.add(place, row + self.rows, value, value)
        self.sample.add(place, row + self.rows, priority(self.seed, row + self.rows, feature), value)
        self._pool(codes, sides)
        self.frequency += np.bincount(feature, minlength=count)
        self.in_documents += np.bincount(np.unique(owner[row] * count + feature) % count, minlength=count)
        for other in range(codes.features.shape[1]):  # counts of pairs, one slot of the codes at a time
            both = (codes.values > 0) & (codes.values[:, [other]] > 0)
            pairs = codes.features[:, [other]].astype(np.int64) * count + codes.features
            np.add.at(self.together, pairs[both], np.uint32(1))
        self.sums += codes.dense(count).T @ block.vectors
        self.rows += n
        self.documents += int(owner[-1]) + 1 if n else 0

    def _pool(self, codes: SparseCodes, sides: NDArray[np.int64]) -> None:
        rows = np.arange(len(sides)) + self.rows
        self.pool.add(sides, rows, priority(self.seed + 1, rows), np.ones(len(sides), np.float32))
        kept = {int(r) for r in self.pool.rows.reshape(-1) if r >= 0}
        fresh = {r: codes.rows(slice(r - self.rows, r - self.rows + 1)) for r in kept if r >= self.rows}
        self.pool_codes = {r: c for r, c in self.pool_codes.items() if r in kept} | fresh

    def jaccard(self, feature: int) -> tuple[tuple[int, float], ...]:
        """The features that are most often active on the same passages."""
        both = self.together.reshape(self.sae.features, -1)[feature].astype(np.float64)
        both[feature] = 0.0
        index = both / np.maximum(self.frequency[feature] + self.frequency - both, 1.0)
        order = np.argsort(-index, kind="stable")[:COACTIVE]
        return tuple((int(o), round(float(index[o]), 4)) for o in order if index[o] > 0)

    def sampled(self, feature: int) -> tuple[float, ...]:
        """A uniform sample of its activations, in falling order."""
        count = self.sae.features
        values = np.concatenate([self.sample.values[s * count + feature][:SAMPLED] for s in range(SIDES)])
        return tuple(round(float(v), 4) for v in np.sort(values[values > 0])[::-1])


def _hard(sae: SparseAutoencoder, blocks: Blocks, first: _First, config: ExamplesConfig, tell: Report) -> Best:
    """Per side and feature the silent passages nearest to the feature's mean vector, sentences where there are any."""
    count, done = sae.features, 0
    hard = Best(SIDES * count, SPARE * config.contrast)
    centres = np.zeros((count, sae.dimension), np.float32)
    live = np.flatnonzero(first.frequency)
    centres[live] = l2norm(first.sums[live])
    for block in blocks():
        sides, n = _sides(block.passages, config.seed), len(block.passages)
        nearness = block.vectors @ centres.T
        codes = sae.encode(block.vectors, bulk=True)
        row, feature, _ = active_entries(codes)
        nearness[row, feature] = -np.inf
        if config.per_document:
            nearness[[p.whole for p in block.passages]] = -np.inf
        for side in range(SIDES):
            rows = np.flatnonzero(sides == side)
            best = nearness[rows]
            width = min(hard.rows.shape[1], len(rows))
            if not width:
                continue
            chosen = np.argpartition(-best, width - 1, axis=0)[:width]
            key = np.take_along_axis(best, chosen, axis=0)
            at = np.broadcast_to(np.arange(count) + side * count, chosen.shape)
            ok = np.isfinite(key)
            hard.add(at[ok], rows[chosen[ok]] + done, key[ok], key[ok])
        done += n
        tell("neighbours", done, first.rows, "")
    return hard


def _candidates(first: _First, hard: Best, config: ExamplesConfig) -> list[Candidates]:
    """Rows for each side and feature, side by side."""
    count = first.sae.features
    silent: list[Best] = []
    for side in range(SIDES):
        rows = np.sort(first.pool.of(side))
        random = Best(count, SPARE * config.contrast)
        active = np.zeros((count, len(rows)), bool)
        for place, row in enumerate(rows.tolist()):
            codes = first.pool_codes[row]
            active[codes.features[codes.values > 0], place] = True
        for start in range(0, count, 256):  # features at a time, so that the keys stay small
            feature, at = np.nonzero(~active[start : start + 256])
            key = priority(first.seed + 2, rows[at], feature + start)
            random.add(feature + start, rows[at], key, key.astype(np.float32))
        silent.append(random)
    return [
        Candidates(
            top=_entries(first.top, side * count + j),
            sample=_entries(first.sample, side * count + j)[: SPARE * config.spread],  # a uniform part of it
            random=silent[side].of(j).tolist(),
            hard=hard.of(side * count + j).tolist(),
        )
        for side in range(SIDES)
        for j in range(count)
    ]


def _entries(best: Best, place: int) -> list[tuple[int, float]]:
    rows = best.of(place)
    return list(zip(rows.tolist(), best.values[place][: len(rows)].tolist(), strict=True))


def _texts(
    sae: SparseAutoencoder, blocks: Blocks, candidates: list[Candidates], first: _First, tell: Report
) -> dict[tuple[int, int], Example]:
    """The examples of (feature, row), for every candidate."""
    wanted: dict[int, list[tuple[int, float]]] = {}
    for place, c in enumerate(candidates):
        values = dict(c.top) | dict(c.sample)
        for row in {*values, *c.random, *c.hard}:
            wanted.setdefault(row, []).append((place % sae.features, values.get(row, 0.0)))
    found: dict[tuple[int, int], Example] = {}
    done, digest = 0, blake2b(digest_size=16)
    for block in blocks():
        for passage in block.passages:
            digest.update(f"{passage.id}\0{passage.text}\0".encode("utf-8", "surrogatepass"))
        reader = _Reader(sae, block, first.seed)
        for row in range(len(block.passages)):
            for feature, value in wanted.get(done + row, ()):
                found[feature, done + row] = reader.example(row, feature, value)
        done += len(block.passages)
        tell("texts", done, first.rows, "")
    if digest.digest() != first.digest.digest():
        raise InputError("examples: the corpus changed while it was read; run it again")
    return found


class _Reader:
    """Examples out of one block."""

    def __init__(self, sae: SparseAutoencoder, block: Block, seed: int) -> None:
        self.sae, self.block, self.seed = sae, block, seed
        owner = _owners(block.passages)
        self.start = np.searchsorted(owner, owner)  # of the passages of the same document
        self.end = np.searchsorted(owner, owner, side="right")
        codes = sae.encode(block.vectors, bulk=True)
        self.active = [set(f[v > 0].tolist()) for f, v in zip(codes.features, codes.values, strict=True)]

    def example(self, row: int, feature: int, value: float) -> Example:
        """What row `row` shows of a feature."""
        passage = self.block.passages[row]
        beside: list[int] = [
            r for r in range(int(self.start[row]), int(self.end[row])) if not self.block.passages[r].whole
        ]
        carrying: str | None = None
        if passage.whole and beside:
            # The strongest by the score before the k largest are taken: a sentence is seldom silent where its document
            # is not, but it may rank lower.
            scores = self.block.vectors[beside] @ self.sae.encoder_weight[feature]
            strongest: int = beside[int(scores.argmax())]
            carrying = self.block.passages[strongest].text
            row = strongest
        silent = [r for r in beside if r != row and feature not in self.active[r]]
        foil = None
        if value > 0 and silent:
            order = priority(self.seed + 3, np.array(silent), np.full(len(silent), feature))
            foil = self.block.passages[silent[int(np.argmax(order))]].text
        return Example(passage.id, passage.document, passage.text, round(value, 4), carrying, foil)


def _owners(passages: Sequence[Passage]) -> NDArray[np.int64]:
    """The number of each passage's document in the block."""
    new = [p == 0 or passages[p].document != passages[p - 1].document for p in range(len(passages))]
    return np.cumsum(new, dtype=np.int64) - 1


def _sides(passages: Sequence[Passage], seed: int) -> NDArray[np.int64]:
    return np.array([side_of(passage.document, seed) for passage in passages], np.int64)
