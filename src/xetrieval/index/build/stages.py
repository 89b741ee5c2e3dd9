"""What happens to a batch of documents, as pure stages: columns in, columns added, nothing kept in between.

    text -> vectors, counts -> views -> codes

A plain loop runs them one after the other; a cluster runs the same ones on its workers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from ...arrays import as_vectors, l2norm
from ...encoders import CachedEncoder, Encoder, not_counted, read_texts
from ...explain import Explainer
from ...sae import SparseCodes

MOST_KEPT: Final = 200_000  # texts of a build that go into the user's cache: 300 MB at 384 dimensions

Batch = dict[str, Any]  # column -> array of n rows
Stage = Callable[[Batch], Batch]


class Encode:
    """text -> vectors [n, m], and how much of each text was read."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def __call__(self, batch: Batch) -> Batch:
        vectors, counts = read_texts(self.encoder, [str(text) for text in batch["text"]], "document")
        return {**batch, "vectors": vectors, "counts": counts}


class Normalise:
    """Vectors that exist already, checked -> unit rows."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension

    def __call__(self, batch: Batch) -> Batch:
        vectors = np.asarray(l2norm(as_vectors(batch["vectors"], self.dimension, "document vectors")), np.float32)
        return {**batch, "vectors": vectors, "counts": not_counted(len(vectors))}


class Reason:
    """vectors -> one column of vectors for each view that an internalizer predicts."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer

    def __call__(self, batch: Batch) -> Batch:
        views = self.explainer.reasoned(batch["vectors"])
        return {**batch, **{f"{name}.vectors": x for name, x in zip(self.explainer.views[1:], views[1:], strict=True)}}


class Decompose:
    """vectors of every view -> features and activations of every view; the vectors of the other views are dropped."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer

    def __call__(self, batch: Batch) -> Batch:
        out = dict(batch)
        for place, view in enumerate(self.explainer.views):
            codes = self.explainer.sae.encode(out["vectors"] if place == 0 else out.pop(f"{view}.vectors"), bulk=True)
            out[f"{view}.features"], out[f"{view}.values"] = codes
        return out


def chain(explainer: Explainer, *, encoded: bool, rows: int = 0) -> tuple[Stage, ...]:
    """The stages that make what an index of `rows` documents stores."""
    first: Stage = Normalise(explainer.sae.dimension) if encoded else Encode(_reader(explainer, rows))
    return (first, Reason(explainer), Decompose(explainer))


def _reader(explainer: Explainer, rows: int) -> Encoder:
    """Its encoder; the user's cache is not filled with the whole of a very large corpus, only read."""
    encoder = explainer.encoder
    if explainer.cache is True and rows > MOST_KEPT and isinstance(encoder, CachedEncoder):
        return CachedEncoder(encoder.encoder, encoder.folder, grows=False)
    return encoder


def run(stages: Sequence[Stage], batch: Batch) -> Batch:
    """One batch through all stages."""
    for stage in stages:
        batch = stage(batch)
    return batch


def codes_of(batch: Batch, view: str) -> SparseCodes:
    """A view's codes in a batch that has been through the stages."""
    return SparseCodes(batch[f"{view}.features"], batch[f"{view}.values"])
