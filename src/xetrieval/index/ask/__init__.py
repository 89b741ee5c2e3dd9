"""Questions about an index: why this hit, what the list has in common, what the corpus holds."""
