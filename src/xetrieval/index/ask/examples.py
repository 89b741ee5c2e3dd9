"""Examples and uses of features, for labelling and scoring labels, from the texts and vectors that an index stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...configs import ExamplesConfig
from ...data.passages import Passage
from ...errors import InputError, XetrievalError
from ...fitting.labelling import MOST_DOCUMENTS, local_encoder, spread
from ...labels.examples import Block, ExampleFolder, gather
from ...labels.from_uses import near_from
from ...labels.use_lines import FeatureUses, feature_uses
from ...labels.uses import uses_of
from ...progress import Progress, silent
from ..build.compact import document_of
from ..build.sentences import read_sentences
from ..store.reader import IndexReader

MOST_EXAMPLES: Final = 20_000  # documents that examples are taken from; larger indexes are sampled


def examples_in(index: IndexReader, progress: Progress = silent, config: ExamplesConfig | None = None) -> ExampleFolder:
    """Examples of every feature, from the documents of an index that have a text.

    Raises:
        InputError: it has no texts, or no documents.
    """
    sae = index.explainer.sae
    documents = map(index.document, _some(index, MOST_EXAMPLES).tolist())
    stored = sorted((one for one in documents if one.text.strip()), key=lambda one: (one.parent or one.id, one.row))
    if not stored:
        raise InputError(f"{index.folder}: built from vectors alone; without texts there are no examples")
    passages = [Passage(one.id, one.text, one.parent or one.id, whole=True) for one in stored]
    block = Block(passages, index.vectors(np.array([one.row for one in stored], np.int64)))
    gathered = gather(sae, lambda: [block], config or ExamplesConfig(per_document=0), progress)
    return ExampleFolder(sae.digest, {"index": str(index.folder)}, gathered.features)


def uses_in(index: IndexReader) -> list[FeatureUses]:
    """Uses of every feature that has enough: pairs of a document or a stored sentence with neighbouring documents."""
    rows, sae = _some(index, MOST_DOCUMENTS), index.explainer.sae
    home, stored = index.folder / index.manifest.explainer_folder, map(index.document, index.alive.tolist())
    sentences = read_sentences(home, map(document_of, stored), sae.dimension)
    place = np.full(index.manifest.rows, -1, np.int64)
    place[rows] = np.arange(len(rows))
    owner = place[index.alive[np.array([one.row for one in sentences.drawn], np.int64)]]
    vectors, documents = np.concatenate([index.vectors(rows), sentences.vectors]), np.arange(len(rows))
    uses = uses_of(sae, vectors, np.arange(len(vectors)), documents, np.concatenate([documents, owner]))
    texts = [*(index.document(row).text for row in rows.tolist()), *(one.text for one in sentences.drawn)]
    return feature_uses(sae, vectors, texts, uses)


def nearness_in(index: IndexReader, labels: Sequence[str]) -> dict[str, float]:
    """For each label, the smallest cosine at which it is shown; empty if the encoder does not run on this machine."""
    try:
        encoder = local_encoder(index.explainer.encoder)
    except XetrievalError:  # it cannot be opened here
        return {}
    if encoder is None or not labels:
        return {}
    return near_from(list(dict.fromkeys(labels)), index.vectors(_some(index, MOST_DOCUMENTS)), encoder.encode_document)


def _some(index: IndexReader, most: int) -> NDArray[np.int64]:
    if not len(index.alive):
        raise InputError(f"{index.folder}: every document in it was deleted")
    return spread(index.alive, most)
