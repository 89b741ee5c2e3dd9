"""Labels from the pairs in which features are used: a first attempt, measured in docs/decisions.md."""
