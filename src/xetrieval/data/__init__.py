"""Reads texts as records: corpora, pairs, sentences.

Every reader refuses what it cannot use with an InputError that names the file, the line and the field, and a truncated
or altered gzip file with a DamagedError; docstrings list only other errors.
"""

from .corpus import ChunkPlace, Document, sample_documents
from .lines import BadLine, read_json_lines
from .pairs import Pair, read_pairs
from .sentences import split_sentences
from .skipped import Skipped, usable
from .sources import read_corpora, stream_source

__all__ = [
    "BadLine",
    "ChunkPlace",
    "Document",
    "Pair",
    "Skipped",
    "read_corpora",
    "read_json_lines",
    "read_pairs",
    "sample_documents",
    "split_sentences",
    "stream_source",
    "usable",
]
