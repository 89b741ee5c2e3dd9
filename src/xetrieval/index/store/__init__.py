"""An index on disk: shards of vectors and codes, texts, and the manifest with their hashes."""
