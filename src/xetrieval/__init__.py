"""Xetrieval explains the score of a query and a document in terms of named features whose shares add up to it.

    import xetrieval
    explainer = xetrieval.load("minilm")
    print(explainer.explain("how do vaccines work", "Vaccines train the immune system to ..."))

Importing this package does no work: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from . import errors
    from .encoders import Encoder, open_encoder
    from .explain import Contrast, Explainer, Explanation, load
    from .fitting import FitConfig, fit
    from .index import BuildConfig, Corpus, Index, build_index, open_index
    from .steer import SteeringProfile

__version__ = "0.2.0"

_HOMES: Final = {
    "BuildConfig": "index",
    "Contrast": "explain",
    "Corpus": "index",
    "Encoder": "encoders",
    "Explainer": "explain",
    "Explanation": "explain",
    "FitConfig": "fitting",
    "Index": "index",
    "SteeringProfile": "steer",
    "build_index": "index",
    "fit": "fitting",
    "load": "explain",
    "open_encoder": "encoders",
    "open_index": "index",
}

__all__ = [
    "BuildConfig",
    "Contrast",
    "Corpus",
    "Encoder",
    "Explainer",
    "Explanation",
    "FitConfig",
    "Index",
    "SteeringProfile",
    "build_index",
    "errors",
    "fit",
    "load",
    "open_encoder",
    "open_index",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
        return import_module(f".{name}", __name__)  # a room: xetrieval.errors, xetrieval.index
    raise AttributeError(f"module 'xetrieval' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
