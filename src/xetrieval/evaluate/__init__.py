"""Objects to numbers: each file one frozen config, one function, one result."""

from .efficiency import EfficiencyConfig, efficiency, growth
from .faithfulness import FaithfulnessConfig, faithfulness
from .intervention import intervention
from .intruder import IntruderSample, intruder_score
from .labels import LabelsConfig, labels
from .pairs import InterventionConfig
from .reasoned import raw_and_reasoned
from .retrieval import RetrievalConfig, ViewSystem, compare_views, ndcg10, reconstructed, retrieval
from .steering import SteeringConfig, steering
from .sweep import SweepConfig, SweepData, sweep
from .vectors import BenchmarkVectors, benchmark_vectors
from .views import internalized, taught

__all__ = [
    "BenchmarkVectors",
    "EfficiencyConfig",
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
    "efficiency",
    "faithfulness",
    "growth",
    "internalized",
    "intervention",
    "intruder_score",
    "labels",
    "ndcg10",
    "raw_and_reasoned",
    "reconstructed",
    "retrieval",
    "steering",
    "sweep",
    "taught",
]
