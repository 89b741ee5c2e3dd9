"""Chooses the size and training time of an autoencoder for one corpus.

Measured on eight corpora of 150 to 6,000 passages (`paper/studies/own_dictionary.py`; docs/decisions.md has the
figures). Smaller corpora were not measured.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypedDict, Unpack

from .sae import SaeConfig

FEWEST_PASSAGES: Final = 150
MOST_ROWS: Final = 500_000  # more vectors than this are sampled
BATCH: Final = 256
STEPS: Final = 600
VARIANT: Final = "batchtopk"  # explains as much as topk, with a smaller remainder, and more than untrained directions


def rule(vectors: int) -> dict[str, int]:
    """F: the power of two nearest to an eighth of the vectors, 64 to 2,048. k: 8 for F up to 128, otherwise 12."""
    features = min(2048, max(64, 2 ** round(math.log2(max(1, vectors) / 8))))
    return {"features": features, "k": rule_k(features)}


def rule_k(features: int) -> int:
    """Active features per row: 8 for F up to 128, otherwise 12; at most F."""
    return min(features, 8 if features <= 128 else 12)


class Chosen(TypedDict, total=False):
    """Fields of SaeConfig that a user may choose; None leaves them to the rule."""

    features: int | None
    l0: int | None
    inference_k: int | None
    epochs: int | None
    batch_size: int | None
    device: str | None
    seed: int | None


def sae_by_rule(vectors: int, rows: int | None = None, **given: Unpack[Chosen]) -> SaeConfig:
    """How to train an autoencoder for a corpus with this many vectors (passages and sentences).

    Args:
        rows: how many rows are trained on, if that differs (as with views); decides the number of epochs.
        given: fields of SaeConfig that override the rule; None means not given.
    """
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    features = chosen.pop("features", rule(vectors)["features"])
    rows = min(MOST_ROWS, vectors if rows is None else rows)
    batch = min(chosen.pop("batch_size", BATCH), max(1, rows))
    if "inference_k" not in chosen:  # only topk has it
        chosen.setdefault("variant", VARIANT)
    made = {"l0": rule_k(features), "epochs": max(1, round(STEPS * batch / max(1, rows))), "batch_size": batch}
    return SaeConfig(features=features, **{**made, **chosen})
