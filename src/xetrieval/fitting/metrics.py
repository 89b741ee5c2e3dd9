"""What a fit reports about its autoencoder, measured on held-out documents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import as_vectors
from ..configs import FitConfig
from ..configs.rule import FEWEST_PASSAGES
from ..explain import Explainer
from ..sae import SparseAutoencoder
from ..sae.measure import BLOCK, Activity, reconstruction

MOST_ROWS = 20_000  # enough for three digits
LEAST_ROWS = 5  # with fewer rows, there is hardly any variance around their own mean


def held_out_rows(owner: NDArray[np.int64], documents: int, config: FitConfig) -> NDArray[np.bool_]:
    """True for the rows of held-out documents and their sentences."""
    count = int(config.held_out * documents)
    chosen = np.random.default_rng(config.drawn_by).permutation(documents)[:count]
    return np.isin(owner, chosen)


def card_metrics(sae: SparseAutoencoder, views: NDArray[np.float16], held: NDArray[np.bool_]) -> dict[str, Any]:
    """The model card's metrics: reconstruction of held-out rows, and dead and dense features over all rows.

    Original and reasoned vectors are measured separately. There is no FVU if all rows are equal, or only a few.
    """
    rows = np.flatnonzero(held)[:MOST_ROWS]
    metrics: dict[str, Any] = {"held_out_rows": len(rows)}
    for name, columns in (("original", [0]), ("reasoned", list(range(1, views.shape[1])))):
        if columns:
            x = as_vectors(np.asarray(views[rows][:, columns], np.float32).reshape(-1, sae.dimension))
            metrics[name] = reconstruction(sae, x).on_card()
            if len(rows) < LEAST_ROWS:
                metrics[name].pop("fvu", None)
    activity = Activity(sae.features)
    every = max(1, len(views) // 100_000)
    for start in range(0, len(views), BLOCK):
        block = np.asarray(views[start : start + BLOCK : every], np.float32).reshape(-1, sae.dimension)
        activity.add(sae.encode(block, bulk=True))
    return {**metrics, "dead_features": activity.dead, "dense_features": activity.dense}


def held_out_notes(explainer: Explainer) -> list[str]:
    """What a fit reports about its result: figures on held-out rows, and whether there were enough documents."""
    metrics, documents = explainer.metrics, int(explainer.provenance.get("documents", 0))
    lines = []
    for name, label in (("original", "vectors"), ("reasoned", "views")):
        if "fvu" in metrics.get(name, {}):
            figures = metrics[name]
            lines.append(
                f"held-out {label} ({metrics['held_out_rows']:,} rows): {figures['fvu']:.0%} of the variance is not "
                f"reconstructed, cosine {figures['cosine']:.2f}"
            )
    if documents < FEWEST_PASSAGES:
        lines.append(
            f"warning: {documents:,} documents are few: the method was not measured below {FEWEST_PASSAGES}, and "
            "the features may fit only these documents"
        )
    return lines
