"""Options that do not go together: one table for the command line, HTTP and Python.

Each door calls `check` with what it was given before any work begins, and with its own names for the options. A pair
that is not in the table works, and both options leave their mark on the answer; the tests try every pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .errors import InputError


class Apart(NamedTuple):
    """Two options of which one at most may be given."""

    first: str
    second: str
    reason: str


class Needs(NamedTuple):
    """An option that means something beside another one alone."""

    option: str
    other: str
    reason: str


Rule = Apart | Needs

RANKED_BY_VECTORS: Final = "only a ranking by vectors (dense) is changed by it"
OWN_RANKING: Final = "it is about the encoder's own ranking: dense, neither steered nor with views"
STEERED: Final = "steering changes a document's vector, not its text: no word carries what it adds"
ONE_PAIR: Final = "it is for one query and one document, given as texts"

WORDS: Final = ("concept", "bm25", "hybrid")  # rankings that need the words of a query

RANKING: Final[tuple[Rule, ...]] = (  # of every question to an index
    Apart("query", "vector", "give the query as text or as a vector: one of the two"),
    Apart("by", "steer", RANKED_BY_VECTORS),
    Apart("by", "views", RANKED_BY_VECTORS),
    Apart("steer", "views", "the views are made of the vectors that steering changes; choose one"),
)
SEARCH: Final[tuple[Rule, ...]] = (
    *RANKING,
    Apart("by", "exact", "only a ranking by vectors (dense) can be an approximate one"),
    Apart("vector", "words", "words are found by words: give the query as text"),
    Apart("by", "overview", "an overview is made of the parts of cosines: rank by dense"),
    Apart("views", "overview", "an overview is made of the parts of one cosine a hit: rank without views"),
    Needs("good", "overview", "judged hits are for the overview"),
    Needs("bad", "overview", "judged hits are for the overview"),
    Needs("top", "explain", "it says how many features of each explanation are shown"),
)
WHY: Final[tuple[Rule, ...]] = (
    *RANKING,
    Apart("vector", "evidence", "evidence needs the query's text"),
    *(Apart(how, what, OWN_RANKING) for how in ("by", "steer", "views") for what in ("over", "counterfactual", "k")),
    Apart("by", "evidence", "evidence splits the parts of a cosine over the text: rank by dense"),
    Apart("views", "evidence", "evidence splits the parts of one cosine over the text: rank without views"),
    Apart("steer", "evidence", STEERED),
    Apart("over", "k", "two documents are compared wherever they stand"),
)
EXPLAIN: Final[tuple[Rule, ...]] = (
    Apart("text", "doc_id", "give the document once"),
    Apart("text", "steer", "steering turns the features of a document in an index; give its id"),
    Apart("steer", "evidence", STEERED),
    Apart("text", "input", "give texts or a file of them"),
    Apart("text", "query_vectors", "give texts or vectors"),
    Apart("text", "document_vectors", "give texts or vectors"),
    Apart("input", "query_vectors", "give texts or vectors"),
    Apart("input", "document_vectors", "give texts or vectors"),
    Needs("query_vectors", "document_vectors", "each query's vector is explained with a document's"),
    Needs("document_vectors", "query_vectors", "each document's vector is explained with a query's"),
    Needs("over", "text", ONE_PAIR),
    Needs("chunks", "text", ONE_PAIR),
    Needs("counterfactual", "over", "it needs a second document to change places with"),
    Apart("chunks", "over", "two documents are compared whole"),
    Needs("skip_bad", "input", "it is for the lines of a file"),
    Apart("input", "written_as", "a file of pairs is answered in JSON lines"),
    Apart("query_vectors", "written_as", "vectors are answered in JSON lines"),
    Apart("query_vectors", "evidence", "evidence needs the texts"),
    Apart("query_vectors", "encoder", "vectors are not encoded"),
    Apart("query_vectors", "cache", "vectors are not encoded, so nothing is kept"),
)
CONTRAST: Final[tuple[Rule, ...]] = (
    *(Apart(text, name, "give both documents as texts, or both by id") for text in ("first", "second")
      for name in ("doc_id", "over")),
    Needs("first", "second", "two documents are compared"),
    Needs("second", "first", "two documents are compared"),
    Needs("doc_id", "over", "two documents are compared"),
    Needs("over", "doc_id", "two documents are compared"),
)  # fmt: skip
BUILD: Final[tuple[Rule, ...]] = (
    Apart("store", "sources", "a store has texts and vectors of its own"),
    Apart("store", "vectors", "a store has texts and vectors of its own"),
    Apart("store", "chunk", "a store has its own pieces"),
    Needs("overlap", "chunk", "it says how much a piece shares with the one before"),
    Needs("vector_column", "vectors", "it names a column of their file"),
    Apart("cache", "no_cache", "encoded texts are kept in one place or in none"),
    Apart("vectors", "cache", "vectors are not encoded, so nothing is kept"),
    Apart("store", "cache", "vectors are not encoded, so nothing is kept"),
    Apart("vectors", "skip_bad", "rows of the file would no longer lie beside their documents"),
    Apart("store", "skip_bad", "it is for the rows of files"),
)
TABLE: Final[Mapping[str, tuple[Rule, ...]]] = {
    "search": SEARCH,
    "why": WHY,
    "explain": EXPLAIN,
    "contrast": CONTRAST,
    "build": BUILD,
}


def check(verb: str, given: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
    """Refuse options of `verb` that do not go together.

    Args:
        given: option -> value; None, False and what is empty count as not given.
        names: what this door calls an option, where that is another name.
    Raises:
        InputError: two of them do not go together, or one lacks another.
    """
    called = names or {}
    there = {option for option, value in given.items() if not (value is None or value is False or _empty(value))}
    for rule in TABLE[verb]:
        first, second = called.get(rule[0], rule[0]), called.get(rule[1], rule[1])
        if isinstance(rule, Apart) and rule.first in there and rule.second in there:
            raise InputError(f"{first} and {second} do not go together: {rule.reason}")
        if isinstance(rule, Needs) and rule.option in there and rule.other not in there:
            raise InputError(f"{first} needs {second}: {rule.reason}")


def _empty(value: Any) -> bool:
    return hasattr(value, "__len__") and len(value) == 0
