"""A corpus explained once: encoded, reasoned over and decomposed, then searched and explained in milliseconds."""

from .build import BuildConfig, Built, build_index
from .corpus import Corpus
from .index import Index, open_index
from .search import Hit

__all__ = ["BuildConfig", "Built", "Corpus", "Hit", "Index", "build_index", "open_index"]
