"""The configuration of a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..internalizer.train import InternalizerConfig
from ..sae.train import SaeConfig
from .rule import sae_by_rule


def explaining_sae(features: int, k: int, epochs: int = 4, inference_k: int | None = None, seed: int = 0) -> SaeConfig:
    """How a fit trains its autoencoder: topk at the learning rate of Gao et al., with 1.5 k features active in use.

    Four times the rate, the default elsewhere, reconstructs better but neither explains nor names better
    (`paper/studies/results/retrain_check.json`).
    """
    return SaeConfig(
        features=features,
        l0=k,
        epochs=epochs,
        inference_k=min(features, max(1, k * 3 // 2)) if inference_k is None else inference_k,
        learning_rate=2e-4 / math.sqrt(max(1, features) / 2**14),
        seed=seed,
    )


@dataclass(frozen=True)
class FitConfig:
    """All choices of a fit.

    Args:
        features: F; None: by the number of documents and sentences (`fitting.rule`), as k and epochs.
        k: active in training.
        inference_k: active in use; None: k.
        sae: everything about the training of the autoencoder, instead of these four.
        seed: of the training and of the held-out documents; with `sae`, that one's is used.
        name: of the explainer; by default its folder's.
        notes: a paragraph for the model card: where the data is from, and under which licence.
        cache: the folder for encoded texts; None is the user's cache folder.
    """

    sentences_per_document: int = 9  # encoded in addition to the document itself
    held_out: float = 0.02  # fraction of the documents, with their sentences; the card's metrics are measured on them
    label_examples: int = 20  # strongest texts of a feature, from which its label is made
    internalizer: InternalizerConfig = field(default_factory=InternalizerConfig)
    features: int | None = None
    k: int | None = None
    inference_k: int | None = None
    epochs: int | None = None
    sae: SaeConfig | None = None
    seed: int = 0
    name: str | None = None
    notes: str = ""
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.sentences_per_document < 0 or not 0 <= self.held_out < 0.5 or self.label_examples < 1:
            raise InputError("fit: needs sentences_per_document >= 0, 0 <= held_out < 0.5 and label_examples >= 1")
        if self.sae is None:
            self.training(1000)  # refuses what cannot be trained
        elif (self.features, self.k, self.inference_k, self.epochs) != (None,) * 4:
            raise InputError("fit: give `sae`, or features, k, inference_k and epochs")

    def training(self, vectors: int, rows: int | None = None) -> SaeConfig:
        """How the autoencoder of so many vectors is trained, on `rows` rows, views among them."""
        if self.sae is not None:
            return self.sae
        given = {"features": self.features, "l0": self.k, "inference_k": self.inference_k, "epochs": self.epochs}
        return sae_by_rule(vectors, rows, seed=self.seed, **given)

    @property
    def drawn_by(self) -> int:
        """The seed in force."""
        return self.seed if self.sae is None else self.sae.seed

    def to_dict(self) -> dict[str, Any]:
        """As the explainer's config.json records it."""
        return {
            "sentences_per_document": self.sentences_per_document,
            "held_out": self.held_out,
            "label_examples": self.label_examples,
            "internalizer": self.internalizer.to_dict(),
            "features": self.features,
            "k": self.k,
            "inference_k": self.inference_k,
            "epochs": self.epochs,
            "sae": None if self.sae is None else self.sae.to_dict(),
            "seed": self.drawn_by,
        }
