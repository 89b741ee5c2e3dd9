"""The explainer: an encoder's identity, its internalizers, its autoencoder and the names of the features."""

from .batch import explain_file
from .folder import load, save
from .model import Explainer
from .pairs import ExplainedPairs
from .parts import from_parts

__all__ = ["ExplainedPairs", "Explainer", "explain_file", "from_parts", "load", "save"]
