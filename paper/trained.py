"""The autoencoders of the step `train`, as explainers."""

from __future__ import annotations

import numpy as np

from paper.kit.parts import from_parts
from paper.setting import Setting
from xetrieval.explain import Explainer
from xetrieval.internalizer import load_internalizers
from xetrieval.sae import SparseAutoencoder


def trained(setting: Setting, sae: str, nets: str | None = "residual") -> Explainer:
    """An autoencoder with its internalizers, or without any if `nets` is None."""
    own = {} if nets is None else load_internalizers(setting.made / "nets" / nets).internalizers
    seen = np.load(setting.made / "apart.npy", mmap_mode="r")[:32768]
    opened = SparseAutoencoder.load(setting.made / "saes" / sae)
    return from_parts(sae, setting.encoder(setting.config["main"]).identity, opened, own, seen)
