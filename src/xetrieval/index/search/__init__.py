"""Search: one file for each mode."""
