"""Every table and figure of the paper from one command (python -m paper); docs/reproduction.md has the results."""
