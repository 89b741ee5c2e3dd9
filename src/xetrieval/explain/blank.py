"""An explainer without features: the starting point of an index that learns its own, for any encoder."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..encoders import Encoder, probe_facts
from ..features import RETIRED, Feature
from ..sae import SparseAutoencoder
from .explainer import Explainer

LONGEST_NAME = 60


def without_features(encoder: Encoder, *, cache: Path | bool = True) -> Explainer:
    """An explainer of this encoder whose only feature is never active.

    Raises:
        MismatchError: the encoder cannot encode text.
    """
    identity = encoder.identity
    m = identity.dimension
    direction = np.zeros((m, 1), np.float32)
    direction[0] = 1.0
    zeros = np.zeros(1, np.float32)
    sae = SparseAutoencoder(np.zeros((1, m), np.float32), zeros, direction, np.zeros(m, np.float32), None, zeros)
    explainer = Explainer(
        _name(identity.name),
        identity,
        sae,
        {},
        (Feature(0, None, None, 0.0, flags=(RETIRED,)),),
        probe_facts(encoder),
        cache=cache,
    )
    return explainer.with_encoder(encoder)


def is_without_features(explainer: Explainer) -> bool:
    """Whether an explainer has yet to learn its features."""
    return bool(explainer.sae.retired.all())


def _name(encoder: str) -> str:
    """A name made from an encoder's: the last part of its path or address, in letters, digits, dots and hyphens."""
    last = re.split(r"[/#\\]", encoder.rstrip("/"))[-1]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-.")[:LONGEST_NAME] or "encoder"
