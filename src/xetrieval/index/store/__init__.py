"""What an index is on disk: shards of vectors and codes, texts, and the manifest that seals them."""
