"""The configuration of a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..internalizer.train import InternalizerConfig
from ..sae.train import SaeConfig


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
    """All choices of a fit; the defaults are those of the explainer that ships.

    Args:
        name: of the explainer; by default its folder's.
        notes: a paragraph for the model card: where the data is from, and under which licence.
        cache: the folder for encoded texts; None is the user's cache folder.
    """

    sentences_per_document: int = 9  # encoded in addition to the document itself
    held_out: float = 0.02  # fraction of the documents, with their sentences; the card's metrics are measured on them
    label_examples: int = 20  # strongest texts of a feature, from which its label is made
    internalizer: InternalizerConfig = field(default_factory=InternalizerConfig)
    sae: SaeConfig = field(default_factory=lambda: explaining_sae(1024, 16, inference_k=24))
    name: str | None = None
    notes: str = ""
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.sentences_per_document < 0 or not 0 <= self.held_out < 0.5 or self.label_examples < 1:
            raise InputError("fit: needs sentences_per_document >= 0, 0 <= held_out < 0.5 and label_examples >= 1")

    def to_dict(self) -> dict[str, Any]:
        """As the explainer's config.json records it."""
        return {
            "sentences_per_document": self.sentences_per_document,
            "held_out": self.held_out,
            "label_examples": self.label_examples,
            "internalizer": self.internalizer.to_dict(),
            "sae": self.sae.to_dict(),
        }
