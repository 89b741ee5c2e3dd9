"""How long explaining takes as the corpus grows (paper, section 8, Fig. 6), from vectors that are there already."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.benchmark import Benchmark
from ..errors import InputError
from ..explainer import Explainer
from .vectors import BenchmarkVectors


@dataclass(frozen=True)
class EfficiencyConfig:
    """Numbers of documents, and how often each is timed; the median is reported.

    `seconds_per_text` is what a language model takes for one text: beside it stands what writing the texts would take.
    """

    documents: tuple[int, ...] = (1000, 3000, 10_000)
    repeats: int = 3
    seconds_per_text: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.documents or min(self.documents) < 1 or self.repeats < 1:
            raise InputError("efficiency: at least one document, timed at least once")


def efficiency(
    explainer: Explainer, benchmark: Benchmark, vectors: BenchmarkVectors, config: EfficiencyConfig | None = None
) -> list[dict[str, Any]]:
    """One record a size: {dataset, documents, views_and_codes_s, explanations_s, written_s}, medians in seconds.

    A larger size than the corpus repeats its documents. Each document is explained against one query.
    """
    config = config or EfficiencyConfig()
    rng = np.random.default_rng(config.seed)
    records = []
    for size in config.documents:
        z = vectors.documents[rng.integers(len(vectors.documents), size=size)]
        q = vectors.queries[rng.integers(len(vectors.queries), size=size)]
        coded, explained = [], []
        for _ in range(config.repeats):
            start = time.perf_counter()
            codes, views = explainer.sae.encode(q), explainer.codes(z)
            middle = time.perf_counter()
            explainer.explain_codes(q, z, codes, views)
            coded.append(middle - start)
            explained.append(time.perf_counter() - middle)
        texts = size * (len(explainer.views) - 1)
        written = None if config.seconds_per_text is None else config.seconds_per_text * texts
        records.append(
            {
                "dataset": benchmark.name,
                "documents": size,
                "views_and_codes_s": round(float(np.median(coded)), 4),
                "explanations_s": round(float(np.median(explained)), 4),
                "written_s": written,
            }
        )
    return records
