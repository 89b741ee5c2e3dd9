"""Configurations, one dataclass per task: Python takes it, and the command line makes its options from it.

A field annotated with an `Option` is an option of the command, with the default of the field. These files import
nothing heavy, which keeps `--help` fast.
"""

from .build import BuildConfig
from .chunks import ChunkConfig
from .evaluate import NamesConfig, RetrievalConfig, SimulatabilityConfig, SteeringConfig, SuggestConfig, WeightsConfig
from .fit import FitConfig
from .internalizer import InternalizerConfig
from .labels import ExamplesConfig, LlmLabelConfig, ScoresConfig
from .option import Option, Range, Seed
from .sae import SaeConfig, SweepConfig
from .serve import ServeConfig
from .teach import TeachConfig

__all__ = [
    "BuildConfig",
    "ChunkConfig",
    "ExamplesConfig",
    "FitConfig",
    "InternalizerConfig",
    "LlmLabelConfig",
    "NamesConfig",
    "Option",
    "Range",
    "RetrievalConfig",
    "SaeConfig",
    "ScoresConfig",
    "Seed",
    "ServeConfig",
    "SimulatabilityConfig",
    "SteeringConfig",
    "SuggestConfig",
    "SweepConfig",
    "TeachConfig",
    "WeightsConfig",
]
