"""The explainer: an encoder's identity, its internalizers, its autoencoder and the names of the features."""

from .batch import explain_file
from .folder import load, save
from .model import Explainer
from .pairs import ExplainedPairs

__all__ = ["ExplainedPairs", "Explainer", "explain_file", "load", "save"]
