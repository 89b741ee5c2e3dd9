"""Vectors and a set of features to vectors: what the document would be without them, or with them alone."""

from .project import erase, erase_and_keep, keep_only

__all__ = ["erase", "erase_and_keep", "keep_only"]
