"""Measurements that go beyond the paper's tables and figures: python -m paper.studies.NAME."""
