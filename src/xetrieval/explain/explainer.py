"""Combines encoder, internalizers, autoencoder and labels to explain scores."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Float32, as_vectors, l2norm
from ..data.chunks import text_chunks
from ..encoders import (
    CachedEncoder,
    EditedEncoder,
    Encoder,
    EncoderIdentity,
    TextFunction,
    as_text,
    as_texts,
    encoder_notes,
    open_encoder,
    read_texts,
    ruler_of,
)
from ..encoders.same import PROBE_FACT
from ..errors import ForeignVectorsWarning, InputError, MismatchError
from ..features import RETIRED, Family, Feature, LabelledFeature
from ..files import digest_of, path_of
from ..identity import explainer_digest
from ..internalizer import Internalizer
from ..options import check_flag
from ..sae import SparseAutoencoder, SparseCodes
from ..steer import Removal, SteeringProfile, steer_query
from ..text import clip
from ..views import ORIGINAL, View, in_order
from .attribution import attribute_shared
from .contrast import Contrast, contrast_vectors
from .counterfactual import swap_vectors
from .evidence import contrast_with_evidence, with_evidence
from .explanation import DEFAULT_TOP, Chunk, Explanation
from .folder import read_explainer, write_explainer
from .foreign import unlike
from .holding import labels_hold
from .pairs import ExplainedPairs, PairNames, check_names, reading
from .same_encoder import how_to_open, same_encoder
from .words import with_words

REMOVED_LABELS: Final = "removed_labels"  # labels that removed features had, by id
PUBLIC_FACTS: Final = (PROBE_FACT, "documents", "sentences", "learned_from", "seed", "encoder_and_views_of", "earlier")


@dataclass
class EncoderSlot:
    """Where an explainer keeps its encoder: empty until it first reads a text."""

    encoder: Encoder | None = None
    labels: dict[str, Float32] = field(default_factory=dict)  # vectors of labels, computed when needed


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explains the scores of one encoder. Made by `load` or `fit`.

    Texts are encoded with the encoder it was made for; existing vectors need no encoder.
    """

    name: str
    encoder_identity: EncoderIdentity
    sae: SparseAutoencoder
    internalizers: Mapping[View, Internalizer]
    features: tuple[Feature, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    families: tuple[Family, ...] = ()
    removal: Removal | None = None  # features that were removed from its documents
    cache: Path | bool = True  # folder of encoded texts; True: the user's cache folder; False: no cache
    _slot: EncoderSlot = field(default_factory=EncoderSlot, repr=False)

    def __post_init__(self) -> None:
        dimensions = {self.sae.dimension, self.encoder_identity.dimension}
        dimensions |= {internalizer.dimension for internalizer in self.internalizers.values()}
        dimensions |= set() if self.removal is None else {len(self.removal.decoder_bias)}
        if len(dimensions) > 1:
            raise MismatchError(f"explainer {self.name}: its parts have different dimensions {sorted(dimensions)}")
        if len(self.features) != self.sae.features:
            raise MismatchError(f"explainer {self.name}: {len(self.features)} labels, {self.sae.features} features")

    def __repr__(self) -> str:
        named = sum(feature.label is not None for feature in self.features)
        return (
            f"Explainer({clip(self.name, 40)!r}, {self.sae.features:,} features, {named:,} named, "
            f"encoder={clip(self.encoder_identity.name, 40)!r}, views={len(self.views)})"
        )

    # ------------------------------------------------------------------ on disk

    @classmethod
    def load(
        cls,
        source: str | Path,
        encoder: str | Path | Encoder | TextFunction | None = None,
        *,
        cache: str | Path | bool = True,
    ) -> Explainer:
        """Open the explainer that ships with the package ("minilm"), or one in a folder.

        Args:
            encoder: a different copy of its encoder, as `open_encoder` takes it; must be the same model.
            cache: where encoded texts are kept: True for the user's cache folder, False for nowhere, or a folder.
        Raises:
            InputError: there is no such explainer.
            DamagedError: a file was altered, is missing, or has an unknown version.
            MismatchError: `encoder` is a different encoder.
        """
        explainer = read_explainer(cls, source, cache=cache if isinstance(cache, bool) else path_of(cache))
        return explainer if encoder is None else explainer.with_encoder(encoder)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write this explainer as a folder, completely or not at all.

        Args:
            overwrite: replace an explainer in that folder, in one step; other files in it are kept.
        Raises:
            InputError: the folder is not empty, is inside an index, or cannot be written.
        """
        write_explainer(self, path_of(folder), overwrite=overwrite)

    # ------------------------------------------------------------------ explaining

    def explain(self, query: str, document: str) -> Explanation:
        """Why this document gets this score for this query, with the words of both texts that carry each share.

        Raises:
            InputError: an empty text. MissingExtra: the encoder is not installed.
        """
        q, z, names = self._read([as_text(query, "query")], [as_text(document, "document")])
        return with_words(self, self._explained(q, z, names)[0], q[0], z[0])

    def explain_pairs(
        self, queries: Sequence[str], documents: Sequence[str], names: PairNames | None = None
    ) -> ExplainedPairs:
        """Explain query i with document i, without words. A text that occurs in several pairs is encoded once.

        Raises:
            InputError: a bare text where a list is expected, an entry that is not a text, an empty text.
        """
        queries, documents = as_texts(queries, "query"), as_texts(documents, "document")
        if len(queries) != len(documents):
            raise InputError(f"{len(queries)} queries for {len(documents)} documents; give one of each per pair")
        return self._explained(*self._read(queries, documents, names))

    def _read(
        self, queries: Sequence[str], documents: Sequence[str], names: PairNames | None = None
    ) -> tuple[Float32, Float32, PairNames]:
        names = check_names(names, len(queries))
        q, read_q = read_texts(self.encoder, queries, "query")
        z, read_d = read_texts(self.encoder, documents, "document")
        read = names._replace(read_queries=read_q, read_documents=read_d)
        return q, z, read._replace(queries=queries, documents=documents)

    def explain_vectors(self, q: ArrayLike, z: ArrayLike, names: PairNames | None = None) -> ExplainedPairs:
        """The same, from vectors [n, m] of this explainer's encoder. They are normalised to unit length.

        Vectors that seem to come from a different encoder are explained, with a ForeignVectorsWarning.

        Raises:
            InputError: the wrong dimension, a zero row, NaN. MismatchError: the numbers of rows differ.
        """
        q, z = self._unit(q, "query vectors"), self._unit(z, "document vectors")
        if len(q) != len(z):
            raise MismatchError(f"{len(q)} query vectors for {len(z)} document vectors; give one of each per pair")
        for x, what in ((z, "document vectors"), (q, "query vectors")):
            if doubt := unlike(self, x, what):
                warnings.warn(doubt, ForeignVectorsWarning, stacklevel=2)
                break
        return self._explained(q, z, names)

    def _explained(self, q: Float32, z: Float32, names: PairNames | None) -> ExplainedPairs:
        return self.explain_codes(q, z, self.sae.encode(q), self.codes(z), names)

    def explain_codes(
        self,
        q: Float32,
        z: Float32,
        query: SparseCodes,
        views: Sequence[SparseCodes],
        names: PairNames | None = None,
    ) -> ExplainedPairs:
        """The same, from existing unit vectors and codes, such as those of an index."""
        shared, parts = attribute_shared(self.sae, q, z, query, views)
        names = check_names(names, len(q))
        return ExplainedPairs(
            overlap=shared,
            attribution=parts,
            features=self.features,
            views=self.views,
            explainer=self.name,
            encoder=self.encoder_identity.name,
            names=names,
            label_holds=labels_hold(self, shared, q, z, names.queries, names.documents),
        )

    def explain_chunks(self, query: str, document: str) -> Explanation:
        """The same for a document longer than the encoder reads: explains its best chunk and lists the others.

        Documents are cut as in an index build. `evidence`, `document` and offsets are those of the chunk.
        """
        query, document = as_text(query, "query"), as_text(document, "document")
        places = text_chunks(document, ruler_of(self.encoder))
        texts = [document[start:end] for start, end in places]
        scores = self.explain_pairs([query] * len(texts), texts).attribution.score.tolist()
        best = int(np.argmax(scores))
        chunks = tuple(Chunk(start, end, score) for (start, end), score in zip(places, scores, strict=True))
        return replace(self.explain(query, texts[best]), chunk=best, chunks=chunks)

    @overload
    def with_evidence(self, explained: Explanation, top: int | None = DEFAULT_TOP) -> Explanation: ...
    @overload
    def with_evidence(self, explained: Contrast, top: int | None = DEFAULT_TOP) -> Contrast: ...
    def with_evidence(self, explained: Explanation | Contrast, top: int | None = DEFAULT_TOP) -> Explanation | Contrast:
        """The explanation or contrast with the sentences and words behind its `top` terms.

        If the encoder does not show its tokens, each sentence and each word is left out in turn.

        Raises:
            InputError: it was made from vectors, without texts.
        """
        if isinstance(explained, Contrast):
            made = contrast_with_evidence(self, explained, top)
            return replace(made, first=self._estimated(made.first), second=self._estimated(made.second))
        if not isinstance(explained, Explanation):
            raise InputError(f"evidence needs an Explanation or a Contrast, not a {type(explained).__name__}")
        return self._estimated(with_evidence(self, explained, top))

    def _estimated(self, made: Explanation) -> Explanation:
        """With words estimated by leaving them out, if it has none."""
        if any(term.words is not None for term in made.terms):
            return made
        q, z, _ = self._read([made.query], [made.document])
        return with_words(self, made, q[0], z[0], estimate=True)

    def contrast(self, query: str, first: str, second: str, *, counterfactual: bool = False) -> Contrast:
        """Why `first` scores above `second` for this query, or below it; and what would make them swap places.

        Raises:
            InputError: an empty text. MissingExtra: the encoder is not installed.
        """
        check_flag(counterfactual, "counterfactual")
        given = zip((query, first, second), ("query", "first document", "second document"), strict=True)
        query, first, second = (as_text(text, what) for text, what in given)
        q, read_q = read_texts(self.encoder, [query], "query")
        z, read_d = read_texts(self.encoder, [first, second], "document")
        made, read_query = contrast_vectors(self, q[0], z, [query, first, second]), reading(read_q, 0)
        one, other = (
            replace(side, read_query=read_query, read_document=reading(read_d, i))
            for i, side in enumerate((made.first, made.second))
        )
        one, other = with_words(self, one, q[0], z[0]), with_words(self, other, q[0], z[1])
        return Contrast.of(one, other, swap_vectors(self, q[0], z) if counterfactual else None)

    # ------------------------------------------------------------------ its parts

    @property
    def views(self) -> tuple[View, ...]:
        """Its views in their fixed order: original, then those with an internalizer."""
        return (ORIGINAL, *in_order(self.internalizers))

    def reasoned(self, z: Float32) -> list[Float32]:
        """V(d) = { z, R_qa(z), R_summary(z), R_purpose(z), ... }, in the order of `views`, each [n, m].

        Raises:
            InputError: the wrong dimension, a zero row, NaN.
        """
        z = as_vectors(z, self.sae.dimension, "document vectors")
        return [z, *(self.internalizers[aspect](z) for aspect in in_order(self.internalizers))]

    def codes(self, z: Float32, *, bulk: bool = False) -> list[SparseCodes]:
        """Codes of every view of the documents `z` [n, m]; `bulk` is faster for many."""
        return [self.sae.encode(view, bulk=bulk) for view in self.reasoned(z)]

    def edited(self, z: Float32) -> Float32:
        """Document vectors [n, m] of the encoder as unit vectors without the features that were removed.

        Raises:
            InputError: not such vectors, or nothing is left of one of them.
        """
        z = as_vectors(z, self.sae.dimension, "document vectors")
        return z if self.removal is None else self.removal.unit(z)

    def steer_query(self, q: ArrayLike, profile: SteeringProfile) -> Float32:
        """Vectors to send to a vector store in place of `q` [n, m] or [m]; see `steer.removal` for the proof."""
        turned = steer_query(self.sae, self._unit(q, "query vectors"), profile)
        return turned if np.ndim(q) > 1 else turned[0]

    @cached_property
    def digest(self) -> str:
        """A hash of everything that determines its numbers: encoder, autoencoder, k, internalizers; not its labels."""
        nets = {aspect: net.digest for aspect, net in self.internalizers.items()}
        own = explainer_digest(self.encoder_identity, self.sae.digest, self.sae.k, nets)
        return own if self.removal is None else digest_of([own, self.removal.digest])[:16]

    def without_names(self) -> Explainer:
        """A copy that reveals nothing about its documents: no labels, example ids, families or source names.

        Its weights and figures do not change, so neither does its digest.
        """
        bare = (
            Feature(
                one.feature_id, None, None, one.frequency, flags=tuple(flag for flag in one.flags if flag == RETIRED)
            )
            for one in self.features
        )
        kept = {key: value for key, value in self.provenance.items() if key in PUBLIC_FACTS}
        return replace(self, features=tuple(bare), families=(), provenance=kept)

    @property
    def earlier(self) -> tuple[str, ...]:
        """Digests of earlier versions of this autoencoder, whose feature ids mean the same here or are retired."""
        return tuple(self.provenance.get("earlier", ()))

    @property
    def removed(self) -> tuple[LabelledFeature, ...]:
        """Features that were removed from its documents, with the labels that they had."""
        labels, ids = self.provenance.get(REMOVED_LABELS, {}), () if self.removal is None else self.removal.ids
        return tuple(LabelledFeature(int(j), labels.get(str(j))) for j in ids)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of its encoder, once it has been opened."""
        return encoder_notes(self._slot.encoder) if self._slot.encoder else ()

    @property
    def encoder(self) -> Encoder:
        """The encoder it was made for, opened at first use; without features that were removed from its documents.

        Raises:
            MismatchError: it was fitted on vectors from a file; give the encoder that made them to `load`.
        """
        if self._slot.encoder is None:
            if self.encoder_identity.name.startswith("vectors:"):
                raise MismatchError(
                    f"explainer {self.name} was fitted on {self.encoder_identity.name} and has no encoder for "
                    "text; use explain_vectors, or --query-vectors and --document-vectors"
                )
            if self.encoder_identity.is_function:
                raise MismatchError(f"explainer {self.name} {how_to_open(self.encoder_identity)}")
            self._slot.encoder = self._cached(same_encoder(self, open_encoder(self.encoder_identity.name)))
        own = self._slot.encoder
        return own if self.removal is None else EditedEncoder(own, self.removal.edit)

    def label_vectors(self, labels: Sequence[str]) -> dict[str, Float32]:
        """The vectors of labels; empty until the encoder has been opened."""
        if self._slot.encoder is None:
            return {}
        if new := sorted(set(labels) - set(self._slot.labels)):
            self._slot.labels.update(zip(new, self._slot.encoder.encode_document(new), strict=True))
        return {label: self._slot.labels[label] for label in labels}

    def with_encoder(self, encoder: str | Path | Encoder | TextFunction) -> Explainer:
        """This explainer with a different copy of its encoder.

        Raises:
            MismatchError: it is not the same encoder: weights, prompts or length limit differ.
        """
        opened = open_encoder(encoder.encoder if isinstance(encoder, EditedEncoder) else encoder)
        opened = self._cached(same_encoder(self, opened))
        return replace(self, _slot=EncoderSlot(opened))

    def sharing_encoder(self, other: Explainer) -> Explainer:
        """This explainer with the encoder of `other`, open or not. Both must have been made for the same encoder."""
        return replace(self, _slot=other._slot)

    def _cached(self, encoder: Encoder) -> Encoder:
        if self.cache is False or isinstance(encoder, CachedEncoder):
            return encoder
        return CachedEncoder(encoder, None if self.cache is True else self.cache)

    def _unit(self, x: Any, name: str) -> Float32:
        vectors = as_vectors(x, self.sae.dimension, name)
        norms = np.einsum("nm,nm->n", vectors, vectors)
        return vectors if np.allclose(norms, 1.0, rtol=0, atol=2e-6) else np.asarray(l2norm(vectors), np.float32)
