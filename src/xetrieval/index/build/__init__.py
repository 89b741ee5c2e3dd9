"""Builds an index from a corpus and changes it: add, delete, compact."""
