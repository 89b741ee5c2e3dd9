"""What can be added with one file and one line: search modes, search engines, stores of vectors, scores of labels.

The code of a mode is index/search/NAME.py, of an engine index/search/engines/NAME.py, of a store
index/build/stores/NAME.py, and of a score labels/scores/NAME.py; to add one, write that file and add its line here.
The command line's help and the table of options read these lines, so this file imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .errors import InputError
from .text import clip


class SearchMode(NamedTuple):
    """One way to rank documents."""

    about: str
    needs: frozenset[str]  # of the query: its "text", its "vector", or both
    accepts: frozenset[str] = frozenset()  # options that only some modes take; see `options`
    package: str = ""  # of the extra `index`, where the mode needs one


class SearchEngine(NamedTuple):
    """One way to find the nearest vectors faster, from files beside the index."""

    about: str
    exact: bool  # whether it finds what a scan of all vectors finds


COSINE: Final = frozenset({"steer", "views", "exact", "overview", "comparison", "evidence"})
SEARCH_MODES: Final[Mapping[str, SearchMode]] = {
    "dense": SearchMode("cosine of the encoder's vectors", frozenset({"vector"}), COSINE),
    "concept": SearchMode("labelled features that the query names", frozenset({"text"})),
    "sparse": SearchMode("features that query and document share, rare ones first", frozenset({"vector"})),
    "bm25": SearchMode("words", frozenset({"text"}), package="bm25s"),
    "hybrid": SearchMode("half cosine, half words", frozenset({"text", "vector"}), package="bm25s"),
}
SEARCH_ENGINES: Final[Mapping[str, SearchEngine]] = {
    "faiss": SearchEngine("an inverted file of cells; a few hits are missed", exact=False),
    "quantised": SearchEngine("an 8-bit copy, scanned first; results stay exact", exact=True),
}
LABEL_SCORES: Final = ("detection", "fuzz", "intruder")
VECTOR_STORES: Final[Mapping[str, str]] = {  # scheme of the URL -> file in index/build/stores
    "postgresql": "pgvector",
    "postgres": "pgvector",
}


def search_mode(name: str) -> SearchMode:
    """A search mode by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in SEARCH_MODES:
        raise InputError(f"search by {clip(str(name), 40)!r}: choose one of {', '.join(SEARCH_MODES)}")
    return SEARCH_MODES[name]
