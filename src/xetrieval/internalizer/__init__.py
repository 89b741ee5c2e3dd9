"""Vectors to views: what a written answer, summary or purpose of a document would have embedded to."""

from .network import FORMS, Form, Internalizer
from .release import read_release_internalizer, write_release_internalizer

__all__ = ["FORMS", "Form", "Internalizer", "read_release_internalizer", "write_release_internalizer"]
