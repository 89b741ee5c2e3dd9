"""Tests whether the top texts of a feature share a topic: a judge must find the intruder (paper, mono-semanticity).

For each feature, the judge gets its nine most activating texts and one random text on which it is inactive. In the
paper the judge is a language model; here it is a different encoder, which picks the text with the smallest mean cosine
to the other nine. (The explained encoder would favour features that are narrow in its own space: small k.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Matrix, l2norm
from ..errors import InputError
from ..intervals import wilson
from ..labels.examples import top_examples
from ..labels.judges import odd_one_out
from ..sae import SparseAutoencoder

TOP = 9
LEAST_TEXTS = 50  # a judged feature is active on at least this many texts
MOST_FEATURES = 500


class IntruderSample(NamedTuple):
    """Vectors of the same texts by the explained encoder and by the judge, a different encoder."""

    vectors: Matrix  # [n, m]
    judge: Matrix  # [n, any]


class IntruderScore(NamedTuple):
    """Fraction of the intruders that the judge finds; chance is 0.1."""

    accuracy: float
    low: float  # 95 % interval (Wilson)
    high: float
    features: int  # number of judged features


def intruder_score(sae: SparseAutoencoder, sample: IntruderSample, seed: int = 0) -> IntruderScore:
    """Judge up to 500 features that are active on at least 50 of the sample's texts.

    Raises:
        InputError: the two matrices have different numbers of rows.
    """
    if len(sample.vectors) != len(sample.judge):
        raise InputError(f"{len(sample.vectors)} vectors for {len(sample.judge)} of the judge; give one row per text")
    codes = sae.encode(np.asarray(sample.vectors, np.float32), bulk=True)
    top = top_examples(codes, sae.features, TOP)
    rng = np.random.default_rng(seed)
    eligible = np.flatnonzero((top.frequency >= LEAST_TEXTS) & (top.frequency < len(codes)))
    chosen = np.sort(rng.permutation(eligible)[:MOST_FEATURES])
    judge = l2norm(np.asarray(sample.judge, np.float32))
    found = 0
    for feature in chosen:
        active = np.zeros(len(codes), bool)
        active[np.nonzero((codes.features == feature) & (codes.values > 0))[0]] = True
        intruder = rng.choice(np.flatnonzero(~active))
        found += odd_one_out(judge[np.append(top.of(int(feature)), intruder)]) == TOP
    return IntruderScore(found / max(1, len(chosen)), *wilson(found / max(1, len(chosen)), len(chosen)), len(chosen))
