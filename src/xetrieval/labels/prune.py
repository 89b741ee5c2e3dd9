"""An explainer without some of its features: the others keep their directions, names and scores."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..explain import Explainer
from ..explain.folder import find, write_explainer
from .relabel import check_target, history_of, now


def prune_folder(source: str | Path, drop: Iterable[int], output: Path) -> Explainer:
    """Write `output`: the explainer in `source` without the features `drop`. Its history goes on: the last line says
    which of the old features are left, in order.

    Raises:
        InputError: see `prune`; or `output` exists.
    """
    check_target(source, output)
    gone = set(drop)
    explainer = Explainer.load(source)
    smaller = prune(explainer, gone)
    event = {
        "at": now(),
        "pruned": {"from": explainer.sae.digest, "to": smaller.sae.digest},
        "kept": [j for j in range(explainer.sae.features) if j not in gone],
    }
    write_explainer(smaller, output, history=history_of(find(source)) + json.dumps(event) + "\n")
    return smaller


def prune(explainer: Explainer, drop: Iterable[int]) -> Explainer:
    """The same explainer without the features `drop`; the rest is numbered anew, in order.

    What a dropped feature carried goes to weaker features of the same text, or to the remainder. Families and flags are
    of the whole dictionary and are left out; frequencies are too, until features are grouped again.

    Raises:
        InputError: an unknown feature, or fewer features left than are active at a time.
    """
    gone = set(drop)
    unknown = sorted(gone - set(range(explainer.sae.features)))
    if unknown:
        raise InputError(f"explainer {explainer.name} has no feature {unknown[0]}")
    keep = np.array([j for j in range(explainer.sae.features) if j not in gone])
    sae = explainer.sae
    if len(keep) < (sae.k or 1):
        raise InputError(f"{len(keep)} features would be left, fewer than the {sae.k} that are active at a time")
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
    metrics = {
        key: value for key, value in explainer.metrics.items() if key == "internalizers"
    }  # the others are the SAE's
    return replace(explainer, sae=smaller, features=features, families=(), provenance=provenance, metrics=metrics)
