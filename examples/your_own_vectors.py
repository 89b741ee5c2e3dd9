"""Explain scores of vectors you already have: no text model, no network.

python examples/your_own_vectors.py
"""

from __future__ import annotations

import numpy as np

import xetrieval


def main() -> None:
    explainer = xetrieval.load("minilm")
    # Stand-ins for vectors out of your index; they must come from the encoder the explainer was made for.
    rng = np.random.default_rng(0)
    queries = explainer.sae.directions[[10, 20]] + 0.02 * rng.standard_normal((2, 384))
    documents = explainer.sae.directions[[10, 21]] + 0.02 * rng.standard_normal((2, 384))

    pairs = explainer.explain_vectors(queries, documents)  # arrays inside; an Explanation when looked at
    for pair in pairs:
        print(pair, end="\n\n")
    print("explained:", [pair.explained and round(pair.explained, 2) for pair in pairs])


if __name__ == "__main__":
    main()
