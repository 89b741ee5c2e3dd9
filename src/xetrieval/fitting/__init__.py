"""Fit an explainer to a corpus and its teachers: encode, internalize, train, label. Every stage resumes."""

from ..configs import FitConfig
from .autoencoder import train_from_files
from .pipeline import fit

__all__ = ["FitConfig", "fit", "train_from_files"]
