"""A corpus and its teachers to an explainer: encode, internalize, train, label. Every stage resumes."""

from .autoencoder import train_from_files
from .config import FitConfig, Report
from .pipeline import fit

__all__ = ["FitConfig", "Report", "fit", "train_from_files"]
