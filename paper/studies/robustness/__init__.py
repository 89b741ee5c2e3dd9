"""Attempts to break the library on purpose: python -m paper.studies.robustness.NAME."""
