"""Removes some features of an explainer; the others keep their directions, labels and scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..explain import Explainer
from ..explain.folder import find, write_explainer
from ..features import check_feature_ids
from .relabel import check_target, history_line, history_of


def prune_folder(source: str | Path, drop: Iterable[int], output: Path) -> Explainer:
    """Write the explainer in `source` without the features `drop` to `output`.

    The history is copied; its new last line lists the old ids of the remaining features, in order.

    Raises:
        InputError: see `prune`; or `output` exists.
    """
    output = check_target(source, output)
    gone = set(drop)
    explainer = Explainer.load(source)
    smaller = prune(explainer, gone)
    event = history_line(
        pruned={"from": explainer.sae.digest, "to": smaller.sae.digest},
        kept=[j for j in range(explainer.sae.features) if j not in gone],
    )
    write_explainer(smaller, output, history=history_of(find(source)) + event)
    return smaller


def prune(explainer: Explainer, drop: Iterable[int]) -> Explainer:
    """The explainer without the features `drop`; the others are renumbered in order.

    The contribution of a removed feature moves to weaker features of the same text, or to the remainder. Families and
    flags describe all features together and are removed until features are grouped again.

    Raises:
        InputError: an unknown feature, or fewer remaining features than are active at a time.
    """
    gone = set(drop)
    check_feature_ids(sorted(gone), explainer.sae.features)
    keep = np.array([j for j in range(explainer.sae.features) if j not in gone])
    sae = explainer.sae
    if len(keep) < (sae.k or 1):
        raise InputError(f"only {len(keep)} features would remain, fewer than the {sae.k} that are active at a time")
    smaller = replace(
        sae,
        encoder_weight=sae.encoder_weight[keep],
        encoder_bias=sae.encoder_bias[keep],
        decoder_weight=np.ascontiguousarray(sae.decoder_weight[:, keep]),
        thresholds=None if sae.thresholds is None else sae.thresholds[keep],
    )
    features = tuple(
        replace(explainer.features[old], feature_id=new, family=None, flags=()) for new, old in enumerate(keep.tolist())
    )
    provenance = {**explainer.provenance, "pruned": {"sae": sae.digest, "features": sae.features, "dropped": len(gone)}}
    # The other metrics were measured with the larger autoencoder.
    metrics = {key: value for key, value in explainer.metrics.items() if key == "internalizers"}
    return replace(explainer, sae=smaller, features=features, families=(), provenance=provenance, metrics=metrics)
