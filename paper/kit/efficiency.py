"""How long explaining takes as the corpus grows (paper, section 8, Fig. 6), from existing vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paper.kit.release_way import ReleaseWay
from xetrieval.arrays import Float32
from xetrieval.data.benchmark import Benchmark
from xetrieval.errors import InputError
from xetrieval.evaluate.vectors import BenchmarkVectors
from xetrieval.explain import Explainer


@dataclass(frozen=True)
class EfficiencyConfig:
    """Numbers of documents, and how often to time each; the median is reported.

    `seconds_per_text` is how long a language model takes for one text; it gives the time to write all texts.
    """

    documents: tuple[int, ...] = (1000, 3000, 10_000)
    repeats: int = 3
    seconds_per_text: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.documents or min(self.documents) < 1 or self.repeats < 1:
            raise InputError("efficiency: documents and repeats must be at least 1")


def efficiency(
    explainer: Explainer, benchmark: Benchmark, vectors: BenchmarkVectors, config: EfficiencyConfig | None = None
) -> list[dict[str, Any]]:
    """One record per size: {dataset, documents, views_and_codes_s, explanations_s, written_s}, medians in seconds.

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


def growth(
    explainer: Explainer, z: Float32, sizes: Sequence[int], queries: int = 100, seed: int = 0, timed: int = 10
) -> list[dict[str, Any]]:
    """Every document against one query and against many, by our method and the release's (paper, section 8, Fig. 6).

    One record a size, seconds: {documents, queries, timed, ours_documents, ours_query, ours_query_span, ours_one,
    ours_many, release_...}. The documents' part is done once. A query's part is done for `timed` queries, the two ways
    by turns: its median counts once (one) or `queries` times (many: reckoned, not run); span is [least, most].

    Args:
        z: [n, m] unit vectors, n at least the largest size.
    Raises:
        InputError: too few vectors.
    """
    if len(z) < max(sizes):
        raise InputError(f"efficiency: {len(z)} vectors for {max(sizes)} documents")
    release = ReleaseWay(explainer)
    records = []
    for size in sizes:
        part = np.ascontiguousarray(z[:size])
        drawn = part[np.random.default_rng(seed).integers(size, size=timed)]
        seconds: dict[str, Any] = {"documents": size, "queries": queries, "timed": timed}
        ways: dict[str, _Ours | _Release] = {"ours": _Ours(explainer, part), "release": _Release(release, part)}
        for name, way in ways.items():
            seconds[f"{name}_documents"] = _seconds_of(way.prepare)
        took = {name: np.zeros(timed) for name in ways}
        for row in range(timed):
            for name, way in ways.items():
                took[name][row] = _seconds_of(way.explain, drawn[[row]])
        for name in ways:
            seconds[f"{name}_query"] = float(np.median(took[name]))
            seconds[f"{name}_query_span"] = [round(float(end), 4) for end in (took[name].min(), took[name].max())]
            once, each = seconds[f"{name}_documents"], seconds[f"{name}_query"]
            seconds |= {f"{name}_one": once + each, f"{name}_many": once + queries * each}
        records.append({key: round(value, 4) if isinstance(value, float) else value for key, value in seconds.items()})
    return records


class _Ours:
    def __init__(self, explainer: Explainer, z: Float32) -> None:
        self.explainer, self.z = explainer, z

    def prepare(self) -> None:
        self.views = self.explainer.codes(self.z)

    def explain(self, one: Float32) -> Any:
        query = self.explainer.sae.encode(one).rows(np.zeros(len(self.z), int))
        return self.explainer.explain_codes(np.repeat(one, len(self.z), axis=0), self.z, query, self.views)


class _Release:
    def __init__(self, way: ReleaseWay, z: Float32) -> None:
        self.way, self.z = way, z

    def prepare(self) -> None:
        self.views = [self.way.active(self.way.encode(view)) for view in self.way.views(self.z)]

    def explain(self, one: Float32) -> Any:
        return self.way.shared(self.way.active(self.way.encode(one)) * len(self.z), self.views)


def _seconds_of(work: Callable[..., Any], *given: Any) -> float:
    started = time.perf_counter()
    work(*given)
    return time.perf_counter() - started
