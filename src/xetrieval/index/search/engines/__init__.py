"""Faster ways to find the nearest vectors, one per file; `registry` lists them."""
