"""Xetrieval: named features whose shares add up to the score of a query and a document.

    import xetrieval
    explainer = xetrieval.load("minilm")
    print(explainer.explain("how do vaccines work", "Vaccines train the immune system to ..."))

Importing this package does no work; each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .encoders import Encoder, open_encoder
    from .errors import XetrievalError
    from .explain import Explainer, Explanation, FeatureShare, load, save
    from .fitting import FitConfig, fit
    from .release import import_release

__version__ = "0.1.0"

_HOMES = {
    "Encoder": "encoders",
    "Explainer": "explain",
    "Explanation": "explain",
    "FeatureShare": "explain",
    "FitConfig": "fitting",
    "XetrievalError": "errors",
    "fit": "fitting",
    "import_release": "release",
    "load": "explain",
    "open_encoder": "encoders",
    "save": "explain",
}

__all__ = [
    "Encoder",
    "Explainer",
    "Explanation",
    "FeatureShare",
    "FitConfig",
    "XetrievalError",
    "fit",
    "import_release",
    "load",
    "open_encoder",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xetrieval' has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
