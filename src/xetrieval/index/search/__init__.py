"""A query to ranked documents, one file per search mode."""
