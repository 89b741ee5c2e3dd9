"""Objects to numbers: each file one frozen config, one function, one result."""

from .intervention import InterventionConfig, intervention
from .vectors import BenchmarkVectors, benchmark_vectors

__all__ = ["BenchmarkVectors", "InterventionConfig", "benchmark_vectors", "intervention"]
