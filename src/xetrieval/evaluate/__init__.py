"""Objects to numbers: each file one frozen config, one function, one result."""

from .intervention import InterventionConfig, intervention
from .intruder import IntruderSample, intruder_score
from .retrieval import ndcg10, reconstructed
from .sweep import SweepConfig, SweepData, sweep
from .vectors import BenchmarkVectors, benchmark_vectors

__all__ = [
    "BenchmarkVectors",
    "InterventionConfig",
    "IntruderSample",
    "SweepConfig",
    "SweepData",
    "benchmark_vectors",
    "intervention",
    "intruder_score",
    "ndcg10",
    "reconstructed",
    "sweep",
]
