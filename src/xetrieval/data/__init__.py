"""Text in, records out: corpora, pairs, sentences. Every refusal names the file, the line and the field."""

from .corpus import Document, Piece, sample_documents
from .left_out import LeftOut, usable
from .lines import BadLine, read_json_lines
from .pairs import Pair, read_pairs
from .passed_over import PassedOver
from .sentences import split_sentences
from .sources import read_corpora, stream_source

__all__ = [
    "BadLine",
    "Document",
    "LeftOut",
    "Pair",
    "PassedOver",
    "Piece",
    "read_corpora",
    "read_json_lines",
    "read_pairs",
    "sample_documents",
    "split_sentences",
    "stream_source",
    "usable",
]
