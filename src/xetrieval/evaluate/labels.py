"""Measures whether labels fit. The judge is a different encoder; it reads labels and texts, never activations.

For each labelled feature, does the label's embedding rank texts that activate it above texts that do not? The area
under that curve is 0.5 by chance; it is compared with that of labels shuffled among the features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..arrays import Float32, Float64
from ..configs import LabelsConfig
from ..data.benchmark import Benchmark
from ..encoders import Encoder, read_texts
from ..errors import InputError
from ..explain import Explainer
from ..intervals import bootstrap
from ..labels.judges import check_judge
from .vectors import BenchmarkVectors


@dataclass(frozen=True)
class LabelsResult:
    """How well a judge separates texts that activate a feature from others by the feature's label."""

    dataset: str
    judge: str
    features: int
    auc: float
    auc_ci: tuple[float, float]
    auc_shuffled: float  # AUC after exchanging labels among the features
    auc_shuffled_ci: tuple[float, float]
    texts: int
    chance: float = 0.5


def labels(
    explainer: Explainer,
    benchmark: Benchmark,
    vectors: BenchmarkVectors,
    judge: Encoder,
    config: LabelsConfig | None = None,
) -> LabelsResult:
    """Measure the labels of an explainer on the documents of a benchmark.

    Args:
        vectors: the benchmark's vectors by the explained encoder.
    Raises:
        MismatchError: the judge is the explained encoder.
        InputError: no labelled feature is active on enough of these documents.
    """
    config = config or LabelsConfig()
    check_judge(judge.identity, explainer.encoder_identity)
    codes = explainer.sae.encode(vectors.documents, bulk=True)
    dense = codes.dense(explainer.sae.features)
    active = (dense > 0).sum(0)
    able = (active >= config.texts) & (len(dense) - active >= config.texts)
    chosen = [f.feature_id for f in explainer.features if f.label and able[f.feature_id]]
    if len(chosen) < 2:
        raise InputError(f"{benchmark.name}: fewer than two labelled features are active on {config.texts} documents")
    rng = np.random.default_rng(config.seed)
    if config.features is not None and config.features < len(chosen):
        chosen = sorted(rng.permutation(chosen)[: config.features].tolist())
    sampled = np.stack([_texts(dense[:, feature], config.texts, rng) for feature in chosen])  # [f, 2 texts]
    rows, place = np.unique(sampled, return_inverse=True)
    texts = read_texts(judge, [benchmark.documents[row].text for row in rows], "document").vectors
    names = read_texts(judge, [str(explainer.features[feature].label) for feature in chosen], "query").vectors
    places = place.reshape(sampled.shape)
    right = _auc(names, texts, places, config.texts)
    wrong = _auc(np.roll(names, 1, axis=0), texts, places, config.texts)
    return LabelsResult(
        dataset=benchmark.name,
        judge=judge.identity.name,
        features=len(chosen),
        texts=config.texts,
        **bootstrap(right, seed=config.seed).fields("auc"),
        **bootstrap(wrong, seed=config.seed).fields("auc_shuffled"),
    )


def _texts(activation: Float32, count: int, rng: Generator) -> NDArray[np.int64]:
    """`count` active rows spread over the activation range, then the same number of inactive ones."""
    active = np.flatnonzero(activation > 0)
    by_strength = active[np.argsort(-activation[active], kind="stable")]
    spread = by_strength[np.linspace(0, len(by_strength) - 1, count).astype(int)]
    return np.concatenate([spread, rng.permutation(np.flatnonzero(activation <= 0))[:count]])


def _auc(names: Float32, texts: Float32, place: NDArray[np.int64], count: int) -> Float64:
    """Fraction of (active, inactive) pairs that a label ranks correctly, [f]; a tie counts one half."""
    scores = np.einsum("fm,ftm->ft", names, texts[place])
    active, inactive = scores[:, :count, None], scores[:, None, count:]
    return np.asarray(((active > inactive) + 0.5 * (active == inactive)).mean((1, 2)), np.float64)
