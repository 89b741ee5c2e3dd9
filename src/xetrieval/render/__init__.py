"""A result to rows once, and the rows to what a person looks at."""
