"""How far do features of one encoder's dictionary carry to another encoder? -> results/two_encoders.json

    python -m paper.studies.two_encoders --work DIR [SETS]

DIR/SET is an index of the set by MiniLM whose documents are not cut (`paper.studies.own_corpora`). The other encoder is
weak: the mean of MiniLM's word vectors. For each set: the held-out correlation of each feature's activations, the
fraction of tested features that are shared (at least 0.5), and how much the carried features explain of the other
encoder's scores of three nearest documents per held-out document, beside

    permuted    carried over texts in a wrong order: the same regressions, no correspondence
    untrained   random directions with the covariance of the other encoder's vectors, as often active
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from paper.studies.minilm import RESULTS
from paper.studies.static import StaticWords
from xetrieval.arrays import Float32
from xetrieval.explain.explained import pair_parts
from xetrieval.explain.untrained import untrained
from xetrieval.fitting.bridge import Bridge, carry_features
from xetrieval.index import open_index
from xetrieval.sae import SparseAutoencoder

SETS: Final = ("scifact", "arguana", "english-dup", "cacm", "vaswani", "climate-fever-evidence")
MOST: Final = 8000  # documents
QUERIES: Final = 400
OUTPUT: Final = RESULTS / "two_encoders.json"


def figures(bridge: Bridge) -> dict[str, Any]:
    """How well features were carried."""
    tested = bridge.correlation[bridge.tested]
    return {
        "texts": bridge.texts,
        "tested": len(tested),
        "shared": int(bridge.carried.sum()),
        "shared_fraction": round(float(bridge.carried.sum() / max(1, len(tested))), 3),
        "median_correlation": round(float(np.median(tested)), 3),
    }


def explained(sae: SparseAutoencoder, q: Float32, z: Float32) -> dict[str, float]:
    """Of the pairs (row i of q, row i of z)."""
    parts = pair_parts(sae, q, z)
    found = parts.over(np.ones(len(q), np.bool_))
    return {"explained": round(found.explained, 3), "features": round(found.features, 1)}


def pairs(x: Float32) -> tuple[Float32, Float32]:
    """Some documents as queries, with their three nearest."""
    rows = np.random.default_rng(1).permutation(len(x))[:QUERIES]
    scores = x[rows] @ x.T
    scores[np.arange(len(rows)), rows] = -np.inf
    near = np.argsort(-scores, axis=1)[:, :3]
    return np.repeat(x[rows], 3, axis=0), x[near.ravel()]


def measure(folder: Path) -> dict[str, Any]:
    """All figures of one set."""
    index = open_index(folder)
    rows = np.sort(np.random.default_rng(0).permutation(index.alive)[:MOST])
    first, sae = index.vectors(rows), index.explainer.sae
    second = StaticWords().encode_document([index.document(int(row)).text for row in rows])
    bridge = carry_features(sae, first, second)
    wrong = carry_features(sae, first, second[np.random.default_rng(2).permutation(len(second))])
    q, z = pairs(second)
    (random,) = untrained(bridge.sae, second)
    return {
        "carried": figures(bridge) | explained(bridge.sae, q, z),
        "permuted": figures(wrong) | explained(wrong.sae, q, z),
        "untrained": explained(random, q, z),
        "own dictionary of the first encoder": explained(sae, *pairs(first)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    found = json.loads(OUTPUT.read_text()) if OUTPUT.is_file() else {}
    for name in given.sets:
        found[name] = measure(given.work / name)
        OUTPUT.write_text("{\n" + ",\n".join(f'"{key}": {json.dumps(row)}' for key, row in found.items()) + "\n}\n")


if __name__ == "__main__":
    main()
