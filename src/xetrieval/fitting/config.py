"""What a fit is asked to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..internalizer.train import InternalizerConfig
from ..sae.train import SaeConfig

Report = Callable[[str, int, int, str], None]  # stage, done, total, note


def explaining_sae(features: int, k: int, epochs: int = 4, inference_k: int | None = None, seed: int = 0) -> SaeConfig:
    """How a fit trains its autoencoder: topk at Gao et al.'s own rate, and half as many features again in use.

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
    """All choices of a fit; the defaults are those of the explainer that ships."""

    sentences_per_document: int = 9  # beside the document itself; 0 for none
    held_out: float = 0.02  # of the documents, with their sentences: the figures on the card are theirs
    label_examples: int = 20  # top texts that a label is made from
    internalizer: InternalizerConfig = field(default_factory=InternalizerConfig)
    sae: SaeConfig = field(default_factory=lambda: explaining_sae(1024, 16, inference_k=24))

    def __post_init__(self) -> None:
        if self.sentences_per_document < 0 or not 0 <= self.held_out < 0.5 or self.label_examples < 1:
            raise InputError("fit: sentences_per_document >= 0, 0 <= held_out < 0.5, label_examples >= 1")

    def to_dict(self) -> dict[str, Any]:
        """As the explainer's config.json records it."""
        return {
            "sentences_per_document": self.sentences_per_document,
            "held_out": self.held_out,
            "label_examples": self.label_examples,
            "internalizer": self.internalizer.to_dict(),
            "sae": self.sae.to_dict(),
        }
