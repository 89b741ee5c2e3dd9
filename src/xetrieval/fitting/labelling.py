"""Names for the features of a new autoencoder, from the texts that it learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..features import Feature
from ..labels.examples import top_examples
from ..labels.keyphrases import keyphrase_labels
from ..sae import SparseAutoencoder, SparseCodes

EXAMPLES: Final = 20  # strongest texts of a feature, from which its label is made
LISTED: Final = 8  # of them, kept by id
BACKGROUND: Final = 20_000  # texts in general
BLOCK: Final = 8192


class Rows(Protocol):
    """Vectors that are read by row: a `Stack`, or some rows of one."""

    def __len__(self) -> int: ...

    def take(self, rows: NDArray[np.int64], /) -> Float32: ...


def label_features(
    sae: SparseAutoencoder,
    vectors: Rows,
    text: Callable[[int], str] | None,
    name: Callable[[int], str],
    examples: int = EXAMPLES,
) -> tuple[Feature, ...]:
    """One record a feature: its label, how often it is active, its strongest texts.

    Args:
        vectors: of the texts, [n, m].
        text: the text of a row; None where there are no texts: no feature gets a label.
        name: the id of a row.
    """
    codes = encoded(sae, vectors)
    top = top_examples(codes, sae.features, examples)
    labels: list[str | None] = [None] * sae.features
    if text is not None:
        background = range(0, len(vectors), max(1, len(vectors) // BACKGROUND))
        labels = keyphrase_labels(text, [top.of(feature).tolist() for feature in range(sae.features)], background)
    return tuple(
        Feature(
            feature_id=feature,
            label=label,
            source="keyphrase" if label else None,
            frequency=round(float(top.frequency[feature]) / len(vectors), 7),
            examples=tuple(name(row) for row in top.of(feature)[:LISTED].tolist()),
        )
        for feature, label in enumerate(labels)
    )


def encoded(sae: SparseAutoencoder, vectors: Rows) -> SparseCodes:
    """The codes of all rows; vectors are read in blocks."""
    rows = np.arange(len(vectors))
    counts, features, values = [], [], []
    for at in range(0, len(rows), BLOCK):
        codes = sae.encode(vectors.take(rows[at : at + BLOCK]), bulk=True)
        active = codes.values > 0
        counts.append(active.sum(axis=1))
        features.append(codes.features[active])
        values.append(codes.values[active])
    return SparseCodes.of_ragged(np.concatenate(counts), np.concatenate(features), np.concatenate(values))
