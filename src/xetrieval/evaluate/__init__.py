"""Evaluations, one per file: a frozen config, a function and a result."""

from ..configs import RetrievalConfig, SteeringConfig, SweepConfig
from .faithfulness import FaithfulnessConfig, faithfulness
from .intervention import intervention
from .intruder import IntruderSample, intruder_score
from .pairs import InterventionConfig
from .retrieval import ViewSystem, compare_views, ndcg10, reconstructed, retrieval
from .steering import steering
from .sweep import SweepData, sweep
from .vectors import BenchmarkVectors, benchmark_vectors
from .views import internalized, taught

__all__ = [
    "BenchmarkVectors",
    "FaithfulnessConfig",
    "InterventionConfig",
    "IntruderSample",
    "RetrievalConfig",
    "SteeringConfig",
    "SweepConfig",
    "SweepData",
    "ViewSystem",
    "benchmark_vectors",
    "compare_views",
    "faithfulness",
    "internalized",
    "intervention",
    "intruder_score",
    "ndcg10",
    "reconstructed",
    "retrieval",
    "steering",
    "sweep",
    "taught",
]
