"""Labels the features of a new autoencoder from its training texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..encoders import Encoder, EndpointEncoder, FunctionEncoder, PrecomputedEncoder, innermost
from ..features import FROM_USES, RETIRED, Feature
from ..labels.examples import top_examples
from ..labels.from_uses import UseLabel, labels_from_uses
from ..sae import SparseAutoencoder, SparseCodes

EXAMPLES: Final = 20  # strongest texts of a feature, from which its label is made
LISTED: Final = 8  # number of examples whose ids are kept
MOST_DOCUMENTS: Final = 6000  # labels are made from a sample of at most this many documents
MOST_SENTENCES: Final = 4000
BLOCK: Final = 8192


class Rows(Protocol):
    """Vectors that can be read by row: a `Stack`, or some rows of one."""

    def __len__(self) -> int: ...

    def take(self, rows: NDArray[np.int64], /) -> Float32: ...


class LabelledTexts(NamedTuple):
    """An autoencoder's training texts: documents first, then sentences."""

    text: Callable[[int], str] | None  # returns the text of a row; None: there are no texts, so no feature gets a label
    id: Callable[[int], str]  # returns the id of a row
    owner: NDArray[np.int64]  # [n] the row of the document that each text is, or comes from; -1: not among these rows


def label_features(
    sae: SparseAutoencoder,
    vectors: Rows,
    texts: LabelledTexts,
    encoder: Encoder | None = None,
    examples: int = EXAMPLES,
    kept: Mapping[int, Feature] | None = None,
) -> tuple[Feature, ...]:
    """One record per feature: its label, how often it is active, its strongest texts.

    Args:
        vectors: the vectors of the texts, [n, m].
        encoder: encodes terms, if it runs on this machine; no terms are sent to an endpoint.
        kept: earlier records, by id, of features that keep their labels.
    """
    kept = kept or {}
    top = top_examples(encoded(sae, vectors), sae.features, examples)
    labels = [UseLabel(None)] * sae.features
    if texts.text is not None:
        given = {j: one.label for j, one in kept.items() if one.label}
        labels = _labels(sae, vectors, texts, encoder, given)

    def record(feature: int, found: UseLabel) -> Feature:
        made = Feature(
            feature_id=feature,
            label=found.label,
            source=FROM_USES if found.label else None,
            frequency=round(float(top.frequency[feature]) / len(vectors), 7),
            examples=tuple(texts.id(row) for row in top.of(feature)[:LISTED].tolist()),
            flags=(RETIRED,) if sae.retired[feature] else (),
            holds_from=round(found.threshold, 4) if found.threshold else None,
            near_from=None if found.near_from is None else round(found.near_from, 4),
            words=found.words,
        )
        old = kept.get(feature)
        if old is None or old.label is None:
            return made
        if old.source == FROM_USES and found.label is not None:
            old = replace(old, holds_from=made.holds_from, near_from=made.near_from)
        return replace(old, frequency=made.frequency, examples=made.examples, words=made.words, flags=(), family=None)

    return tuple(record(feature, found) for feature, found in enumerate(labels))


def _labels(
    sae: SparseAutoencoder,
    vectors: Rows,
    texts: LabelledTexts,
    encoder: Encoder | None,
    given: Mapping[int, str],
) -> list[UseLabel]:
    text, owner = texts.text, texts.owner
    assert text is not None
    is_document = owner == np.arange(len(owner))
    documents, sentences = np.flatnonzero(is_document), np.flatnonzero(~is_document)
    some = np.concatenate([spread(documents, MOST_DOCUMENTS), spread(sentences, MOST_SENTENCES)])
    place = np.full(len(owner) + 1, -1, np.int64)
    place[some] = np.arange(len(some))
    local = local_encoder(encoder)
    return labels_from_uses(
        sae,
        vectors.take(some),
        [text(row) for row in some.tolist()],
        place[owner[some]],
        None if local is None else local.encode_document,
        given,
    )


def local_encoder(encoder: Encoder | None) -> Encoder | None:
    """The encoder, if it runs on this machine; terms are not sent elsewhere."""
    elsewhere = EndpointEncoder | FunctionEncoder | PrecomputedEncoder
    return None if encoder is None or isinstance(innermost(encoder), elsewhere) else encoder


def spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of the rows, evenly spread, in order."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def encoded(sae: SparseAutoencoder, vectors: Rows) -> SparseCodes:
    """The codes of all rows, reading vectors in blocks."""
    rows = np.arange(len(vectors))
    counts, features, values = [], [], []
    for at in range(0, len(rows), BLOCK):
        codes = sae.encode(vectors.take(rows[at : at + BLOCK]), bulk=True)
        active = codes.values > 0
        counts.append(active.sum(axis=1))
        features.append(codes.features[active])
        values.append(codes.values[active])
    return SparseCodes.of_ragged(np.concatenate(counts), np.concatenate(features), np.concatenate(values))
