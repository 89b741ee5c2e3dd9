"""An index: a corpus that is encoded and decomposed once, then searched and explained in milliseconds."""

from ..configs import BuildConfig
from .ask.expect import Expectation, read_expectations
from .ask.two_encoders import TwoEncoders, compare_encoders
from .build.corpus import Corpus
from .build.pipeline import Built, build_index
from .build.remove import Removed, remove_features
from .index import Index, open_index
from .search.mode import SearchOptions
from .search.ranking import Hit

__all__ = [
    "BuildConfig",
    "Built",
    "Corpus",
    "Expectation",
    "Hit",
    "Index",
    "Removed",
    "SearchOptions",
    "TwoEncoders",
    "build_index",
    "compare_encoders",
    "open_index",
    "read_expectations",
    "remove_features",
]
