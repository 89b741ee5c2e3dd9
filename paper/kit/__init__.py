"""Measures, figures, tables and corpora that only the paper's scripts use."""
