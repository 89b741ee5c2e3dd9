"""A corpus and its teachers to an explainer: encode, internalize, train, label. Every stage resumes."""

from .config import FitConfig, Report
from .pipeline import fit

__all__ = ["FitConfig", "Report", "fit"]
