"""Every table and figure of the paper from one command; see docs/reproduction.md for what came out."""
