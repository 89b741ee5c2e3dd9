"""Objects to numbers: each file one frozen config, one function, one result."""

from .efficiency import EfficiencyConfig, efficiency
from .faithfulness import FaithfulnessConfig, faithfulness
from .intervention import intervention
from .intruder import IntruderSample, intruder_score
from .labels import LabelsConfig, labels
from .pairs import InterventionConfig
from .retrieval import RetrievalConfig, ndcg10, reconstructed, retrieval
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
    "benchmark_vectors",
    "efficiency",
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
