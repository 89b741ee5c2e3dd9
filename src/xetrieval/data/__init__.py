"""Text in, records out: corpora, pairs, sentences. Every refusal names the file, the line and the field."""

from .corpus import Document, read_corpora, sample_documents
from .lines import BadLine, read_json_lines
from .pairs import Pair, read_pairs
from .sentences import split_sentences

__all__ = [
    "BadLine",
    "Document",
    "Pair",
    "read_corpora",
    "read_json_lines",
    "read_pairs",
    "sample_documents",
    "split_sentences",
]
