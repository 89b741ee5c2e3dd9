"""Answers questions about an index: why this hit, what hits have in common, what the corpus is about."""
