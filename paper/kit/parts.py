"""An explainer assembled from parts, without labels, to compare autoencoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xetrieval.encoders import EncoderIdentity
from xetrieval.explain.explainer import Explainer
from xetrieval.features import Feature
from xetrieval.internalizer import Internalizer
from xetrieval.sae import SparseAutoencoder
from xetrieval.views import View

BLOCK = 8192


def from_parts(
    name: str,
    encoder: EncoderIdentity,
    sae: SparseAutoencoder,
    internalizers: Mapping[View, Internalizer],
    vectors: Any,
) -> Explainer:
    """An explainer without labels. The frequency of each feature is counted on `vectors` [n, m]."""
    fired, seen = np.zeros(sae.features, np.int64), max(1, len(vectors))
    for start in range(0, len(vectors), BLOCK):
        codes = sae.encode(np.asarray(vectors[start : start + BLOCK], np.float32))
        fired += np.bincount(codes.features[codes.values > 0], minlength=sae.features)
    features = tuple(Feature(j, None, None, round(float(count) / seen, 7)) for j, count in enumerate(fired))
    return Explainer(name, encoder, sae, dict(internalizers), features)
