"""Evaluations, one per file: a frozen config, a function and a result."""

from ..configs import LabelsConfig, RetrievalConfig, SteeringConfig, SweepConfig
from .faithfulness import FaithfulnessConfig, faithfulness
from .intervention import intervention
from .intruder import IntruderSample, intruder_score
from .labels import labels
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
    "LabelsConfig",
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
    "labels",
    "ndcg10",
    "reconstructed",
    "retrieval",
    "steering",
    "sweep",
    "taught",
]
