"""Questions about an index: why this hit, what the hits have in common, what the corpus is about."""
