"""A corpus to an index, and its changes: add, delete, compact."""
