"""Faster ways to find the nearest vectors, one file each; `registry` lists them."""
