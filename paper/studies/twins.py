"""Shares when a dictionary has near-duplicate directions: as separate features, and joined.

The shipped dictionary is doubled: every direction gets a twin of a given cosine, and so does every encoder row.
For pairs of texts it measures sum |share| / |sum of shares| and the largest |share| / score (scores of .2 and more),
before twins are joined (as coefficients of their own) and after (the lines of an explanation).

    python -m paper.studies.twins > paper/studies/results/twins.json
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np

import xetrieval
from paper.kit.results import as_json
from xetrieval.arrays import l2norm
from xetrieval.encoders import read_texts
from xetrieval.explain import Explainer, attribute, overlap
from xetrieval.features import Feature
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.projection import TWIN, FeatureSets, project

COSINES = (0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.999, 0.9999, 0.99999)
TEXTS = (
    "Yeast makes bread rise slowly in a cold kitchen.",
    "Check the pressure of bicycle tyres every month.",
    "A vaccine trains the immune system to know a virus.",
    "Salt lowers the freezing point of water.",
    "Interest rates rise when a central bank fights inflation.",
    "How do I keep bread fresh for a week?",
    "Why do my tyres lose air in winter?",
    "How does the body fight an infection?",
    "Why is salt spread on roads in winter?",
    "What does a central bank do about rising prices?",
)


def doubled(explainer: Explainer, cosine: float, seed: int = 0) -> Explainer:
    """Double the dictionary: every direction gets a twin, and twice as many features are active."""
    sae, rng = explainer.sae, np.random.default_rng(seed)

    def twins(rows: Any) -> Any:
        noise = rng.standard_normal(rows.shape)
        unit = l2norm(rows.astype(np.float64))
        noise = l2norm(noise - (noise * unit).sum(1, keepdims=True) * unit)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return (length * (cosine * unit + np.sqrt(1 - cosine**2) * noise)).astype(np.float32)

    both = SparseAutoencoder(
        encoder_weight=np.concatenate([sae.encoder_weight, twins(sae.encoder_weight)]),
        encoder_bias=np.tile(sae.encoder_bias, 2),
        decoder_weight=np.ascontiguousarray(np.concatenate([sae.directions, twins(sae.directions)]).T),
        decoder_bias=sae.decoder_bias,
        k=2 * (sae.k or 1),
    )
    names = tuple(Feature(i, explainer.features[i % sae.features].label, None, 0.1) for i in range(both.features))
    return replace(explainer, sae=both, features=names, internalizers={}, families=(), metrics={})


def measured(explainer: Explainer, q: Any, z: Any) -> dict[str, dict[str, float]]:
    """Medians and largest values, before and after."""
    sae = explainer.sae
    shared = overlap(sae.encode(q), explainer.codes(z), sae.features)
    sets = FeatureSets(shared.starts, shared.features)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, sets)
    beta, _, along, twins = project(sae.directions, sets, z.astype(np.float64) - sae.decoder_bias, q.astype(np.float64))
    pair = np.repeat(np.arange(len(q)), shared.sizes)
    lines = np.bincount(twins, weights=parts.shares, minlength=len(twins))
    out = {}
    for name, shares in (("before", beta * along), ("after", lines)):
        size = np.bincount(pair, weights=np.abs(shares), minlength=len(q))
        ratio = size / np.maximum(1e-9, np.abs(parts.total))
        largest = np.zeros(len(q))
        np.maximum.at(largest, pair, np.abs(shares))
        clear = parts.score >= 0.2
        out[name] = {
            "sum_ratio_median": round(float(np.median(ratio[clear])), 3),
            "sum_ratio_max": round(float(ratio[clear].max()), 3),
            "largest_share_over_score": round(float((largest[clear] / parts.score[clear]).max()), 3),
        }
    out["pairs"] = {"all": len(q), "of score .2 and more": int(clear.sum())}
    return out


def main() -> None:
    explainer = xetrieval.load("minilm", cache=False)
    x = read_texts(explainer.encoder, list(TEXTS), "document").vectors
    first, second = np.triu_indices(len(x))
    found = {str(cosine): measured(doubled(explainer, cosine), x[first], x[second]) for cosine in COSINES}
    sys.stdout.write(as_json({"joined_from_cosine": TWIN, "by_cosine": found}))


if __name__ == "__main__":
    main()
