"""Erase what a query and a hit share from the hit: by how much more does the score fall than for random features?

    XETRIEVAL_DATA=DIR python -m paper.studies.own_names index --cache DIR --work DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.own_erase --cache DIR --work DIR      -> results/own_erase.json

The dictionaries are those that `xetrieval index build` learns of the eight sets. S is what both vectors share in the
original view, of each query's three best. It is compared with as many random features that are active in the document
and not in S; where a document has fewer, with as many random live ones of similar frequency. Untrained dictionaries
have the same F and the same activation rule; their directions are drawn from the covariance of the corpus.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST, Corpus, open_corpora
from xetrieval.arrays import Float64, IntArray
from xetrieval.evaluate.intervention import random_live
from xetrieval.evaluate.pairs import random_active
from xetrieval.explain import load, overlap
from xetrieval.explain.untrained import SEEDS, untrained
from xetrieval.intervals import cluster_bootstrap
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.projection import FeatureSets
from xetrieval.steer import erase_and_keep

OUTPUT: Final = RESULTS / "own_erase.json"
DRAWS: Final = 5  # of random features
RESAMPLES: Final = 1000


def drops(corpus: Corpus, sae: SparseAutoencoder) -> dict[str, Any]:
    """Drops of the cosine of each pair: without S, and without random features in its place, [draws, pairs]."""
    q, z = corpus.queries[corpus.pairs.query], corpus.documents[corpus.pairs.document]
    codes = sae.encode(z)
    shared = overlap(sae.encode(q), [codes], sae.features)
    chosen = [shared.features[shared.of(i)] for i in range(len(q))]
    active = [codes.support(i) for i in range(len(q))]
    everywhere = sae.encode(corpus.documents)
    counts = np.bincount(everywhere.features[everywhere.values > 0], minlength=sae.features)
    cosine = np.einsum("nm,nm->n", q, z)

    def drop(sets: list[IntArray]) -> Float64:
        erased, _ = erase_and_keep(sae, z, FeatureSets.of(sets))
        return np.asarray(cosine - np.einsum("nm,nm->n", q, erased), np.float64)

    rng = np.random.default_rng(0)
    enough = np.array([len(a) >= 2 * len(s) for a, s in zip(active, chosen, strict=True)])
    at_random = []
    for _ in range(DRAWS):
        others, live = random_active(chosen, active, rng), random_live(chosen, counts / len(everywhere), rng)
        at_random.append(drop([a if many else b for a, b, many in zip(others, live, enough, strict=True)]))
    return {
        "drop": drop(chosen),
        "random": np.stack(at_random),
        "size": np.array([len(s) for s in chosen], float),
        "enough": enough,
    }


def figures(found: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
    """Means with 95 % intervals by bootstrap over queries, and how many times as much S changes the score.

    ratio is that of the mean drops; None where random features do not lower the score on average. ratio_of_sizes
    compares with the mean size of the change by random features, up or down, pair by pair.
    """
    drop, at_random, relevant = found["drop"], found["random"], corpus.pairs.relevant
    whole, by_chance = (
        cluster_bootstrap(values, corpus.pairs.query, RESAMPLES, 0) for values in (drop, at_random.mean(axis=0))
    )
    size = float(np.abs(at_random).mean())
    return {
        "pairs": len(drop),
        "features": round(float(found["size"].mean()), 2),
        "compared_with_active": round(float(found["enough"].mean()), 3),
        "drop": whole.rounded(4),
        "drop_relevant": round(float(drop[relevant].mean()), 4),
        "drop_others": round(float(drop[~relevant].mean()), 4),
        "drop_random": by_chance.rounded(4),
        "size_of_random_change": round(size, 4),
        "ratio": round(whole.mean / by_chance.mean, 1) if by_chance.mean > 0 else None,
        "active_alone": _among(found, found["enough"]),
        "ratio_at_least": round(whole.low / by_chance.high, 1) if by_chance.high > 0 else None,
        "ratio_of_sizes": round(whole.mean / size, 1),
    }


def _among(found: dict[str, Any], rows: NDArray[np.bool_]) -> dict[str, float]:
    """The same on some pairs."""
    drop, at_random = float(found["drop"][rows].mean()), found["random"][:, rows]
    size = float(np.abs(at_random).mean())
    figures = {"drop": drop, "drop_random": float(at_random.mean()), "size_of_random_change": size}
    return {name: round(value, 4) for name, value in figures.items()} | {"ratio_of_sizes": round(drop / size, 1)}


def measured(corpus: Corpus, sae: SparseAutoencoder) -> dict[str, Any]:
    """A dictionary of a corpus beside untrained ones."""
    own = figures(drops(corpus, sae), corpus)
    control = [figures(drops(corpus, one), corpus) for one in untrained(sae, corpus.documents, seeds=range(SEEDS))]
    means = {
        "features": float(np.mean([one["features"] for one in control])),
        "drop": float(np.mean([one["drop"].mean for one in control])),
        "drop_random": float(np.mean([one["drop_random"].mean for one in control])),
        "ratio_of_sizes": float(np.mean([one["ratio_of_sizes"] for one in control])),
    }
    return {
        "set": corpus.name,
        "documents": len(corpus.documents),
        "dictionary_features": sae.features,
        "own": own,
        "untrained": {name: round(value, 4) for name, value in means.items()},
        "drop_over_untrained": round(own["drop"].mean / means["drop"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(LARGEST))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    records = []
    for name in given.sets:
        corpus = open_corpora(name, given.cache)[LARGEST[name]]
        records.append(measured(corpus, load(given.work / name / "explainer").sae))
        OUTPUT.write_text("[\n" + ",\n".join(json.dumps(one) for one in records) + "\n]\n")
        print(json.dumps(records[-1]), flush=True)


if __name__ == "__main__":
    main()
