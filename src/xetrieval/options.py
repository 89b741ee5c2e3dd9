"""Options that cannot be combined: one table for the command line, HTTP and Python.

Each of them calls `check` before any work begins, with its own names for the options. Every pair of options that is not
in the table works, and both options then affect the answer; tests try every pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Final, NamedTuple

from .errors import InputError
from .registry import search_mode
from .text import clip


class Apart(NamedTuple):
    """Two options that exclude each other."""

    first: str
    second: str
    reason: str


class Needs(NamedTuple):
    """An option that has no effect without another."""

    option: str
    other: str
    reason: str


class OfMode(NamedTuple):
    """An option that only some search modes accept; `accepted` is its name in `registry`."""

    option: str
    accepted: str
    reason: str


Rule = Apart | Needs

WITHOUT_TEXT: Final = "without text"  # accepted by modes that do not need the words of a query
VECTORS_ONLY: Final = "it only changes a ranking by vectors (dense)"
OWN_RANKING: Final = "it applies to the encoder's own ranking: dense, without steering and without views"
STEERED: Final = "steering changes a document's vector, not its text, so no word carries what it adds"
WHAT_FACTORS_DO: Final = "it sets what the factors do"
ONE_PAIR: Final = "it applies to one query and one document, given as texts"

RANKING: Final[tuple[Rule | OfMode, ...]] = (  # for all queries of an index
    Apart("query", "vector", "give the query as text or as a vector, not both"),
    OfMode("vector", WITHOUT_TEXT, "this mode looks for words: give the query as text"),
    OfMode("steer", "steer", VECTORS_ONLY),
    OfMode("views", "views", VECTORS_ONLY),
    Apart("steer", "views", "the views are computed from the vectors that steering changes; choose one"),
)
SEARCH: Final = (
    *RANKING,
    OfMode("exact", "exact", "only a ranking by vectors (dense) can be approximate"),
    OfMode("overview", "overview", "an overview adds up the terms of cosines: rank by dense"),
    Apart("views", "overview", "an overview adds up the terms of one cosine per hit: rank without views"),
    Needs("good", "overview", "judged hits are used only by the overview"),
    Needs("bad", "overview", "judged hits are used only by the overview"),
    Needs("kind", "steer", WHAT_FACTORS_DO),
    Needs("top", "explain", "it sets how many features of each explanation are shown"),
    Apart("queries", "query", "give one query or a file of them"),
    Apart("queries", "vector", "give one query or a file of them"),
    Apart("queries", "overview", "an overview is about the hits of one query"),
    Needs("skip_bad", "queries", "it applies only to rows of files"),
)
WHY: Final = (
    *RANKING,
    Needs("kind", "steer", WHAT_FACTORS_DO),
    Apart("vector", "evidence", "evidence needs the query's text"),
    *(OfMode(option, "comparison", OWN_RANKING) for option in ("over", "counterfactual", "k")),
    *(Apart(how, what, OWN_RANKING) for how in ("steer", "views") for what in ("over", "counterfactual", "k")),
    OfMode("evidence", "evidence", "evidence splits the terms of a cosine over the text: rank by dense"),
    Apart("views", "evidence", "evidence splits the terms of one cosine over the text: rank without views"),
    Apart("steer", "evidence", STEERED),
    Apart("over", "k", "two documents are compared whatever their ranks"),
)
EXPLAIN: Final[tuple[Rule, ...]] = (
    Apart("text", "doc_id", "give the document once"),
    Needs("kind", "steer", WHAT_FACTORS_DO),
    Apart("text", "steer", "steering scales the features of a document in an index; give its id"),
    Apart("steer", "evidence", STEERED),
    Apart("text", "input", "give texts or a file of them"),
    Apart("text", "query_vectors", "give texts or vectors"),
    Apart("text", "document_vectors", "give texts or vectors"),
    Apart("input", "query_vectors", "give texts or vectors"),
    Apart("input", "document_vectors", "give texts or vectors"),
    Needs("query_vectors", "document_vectors", "each query vector is explained with a document vector"),
    Needs("document_vectors", "query_vectors", "each document vector is explained with a query vector"),
    Needs("over", "text", ONE_PAIR),
    Needs("chunks", "text", ONE_PAIR),
    Needs("context", "text", ONE_PAIR),
    Needs("counterfactual", "over", "it needs a second document to swap with"),
    Apart("chunks", "over", "two documents are compared as a whole"),
    Needs("skip_bad", "rows", "it applies only to rows of files"),
    Apart("input", "written_as", "the answer to a file of pairs is in JSON Lines"),
    Apart("query_vectors", "written_as", "the answer to vectors is in JSON Lines"),
    Apart("query_vectors", "evidence", "evidence needs the texts"),
    Apart("query_vectors", "encoder", "vectors are not encoded"),
    Apart("query_vectors", "cache", "vectors are not encoded, so there is nothing to cache"),
)
CONTRAST: Final[tuple[Rule, ...]] = (
    *(Apart(text, name, "give both documents as texts, or both by id") for text in ("first", "second")
      for name in ("doc_id", "over")),
    *(Needs(one, other, "two documents are compared") for pair in (("first", "second"), ("doc_id", "over"))
      for one, other in (pair, pair[::-1])),
)  # fmt: skip
BUILD: Final[tuple[Rule, ...]] = (
    Apart("store", "sources", "a store has its own texts and vectors"),
    Apart("store", "vectors", "a store has its own texts and vectors"),
    *(Apart(option, source, "documents that come with vectors are not cut: cut them before they are encoded")
      for option in ("chunk_tokens", "chunk_overlap", "no_chunks") for source in ("vectors", "store")),
    *(Needs(option, "sources", "it cuts the documents of a corpus") for option in ("chunk_tokens", "chunk_overlap")),
    Apart("no_chunks", "chunk_tokens", "without chunks there is nothing to measure"),
    Apart("no_chunks", "chunk_overlap", "without chunks there is nothing to repeat"),
    *(Apart(source, "price", "vectors are not encoded, so nothing is paid for") for source in ("vectors", "store")),
    Needs("vector_column", "vectors", "it names a column of that file"),
    Needs("force", "encoded", "it accepts vectors that seem to come from a different encoder"),
    Apart("vectors", "no_cache", "vectors are not encoded, so there is nothing to cache"),
    Apart("cache", "no_cache", "encoded texts are kept in one place or not at all"),
    Apart("vectors", "cache", "vectors are not encoded, so there is nothing to cache"),
    Apart("store", "cache", "vectors are not encoded, so there is nothing to cache"),
    Apart("vectors", "skip_bad", "rows of the file would no longer match their documents"),
    Apart("store", "skip_bad", "it applies only to rows of files"),
)  # fmt: skip
FEATURES: Final[tuple[Rule, ...]] = (
    *(Apart("id", option, "a card describes a single feature") for option in ("search", "family")),
    Apart("search", "family", "the labels of all features are searched"),
)
FIT: Final[tuple[Rule, ...]] = (
    Needs("form", "teacher", "it sets the form of the internalizers, which learn from teachers"),
)
PROFILE: Final[tuple[Rule, ...]] = (
    Needs("least_cosine", "like", "it is the least cosine of a query with one of these"),
)
DOCTOR: Final[tuple[Rule, ...]] = (
    Needs("qrels", "queries", "judgments belong to the texts of queries"),
    Needs("precision", "qrels", "only judged hits have a precision"),
    Needs("skip_bad", "queries", "it applies only to rows of files"),
)
DEMO: Final[tuple[Rule, ...]] = (
    Needs("port", "serve", "it is the port of the page"),
    Apart("query", "serve", "the page asks for queries itself"),
)
BENCHMARKS: Final[tuple[Rule, ...]] = (
    Needs("data", "encoder", "the texts of the benchmarks have to be encoded"),
    Needs("encoder", "data", "it encodes the texts of benchmarks"),
    Needs("skip_bad", "data", "it applies only to rows of files"),
)
ENCODER: Final[tuple[Rule, ...]] = (Needs("precision", "model", "the precision of other encoders cannot be chosen"),)
TABLE: Final[Mapping[str, tuple[Rule | OfMode, ...]]] = {
    "search": SEARCH,
    "why": WHY,
    "explain": EXPLAIN,
    "contrast": CONTRAST,
    "build": BUILD,
    "features": FEATURES,
    "fit": FIT,
    "encoder": ENCODER,
    "profile": PROFILE,
    "doctor": DOCTOR,
    "demo": DEMO,
    "benchmarks": BENCHMARKS,
}


def rules(verb: str, by: str = "dense") -> tuple[Rule, ...]:
    """The rules of a verb, including the options that the search mode `by` does not accept.

    Raises:
        InputError: there is no such mode.
    """
    mode = search_mode(by)
    accepts = mode.accepts if "text" in mode.needs else mode.accepts | {WITHOUT_TEXT}
    found = [
        Apart("by", rule.option, rule.reason) if isinstance(rule, OfMode) else rule
        for rule in TABLE[verb]
        if not (isinstance(rule, OfMode) and rule.accepted in accepts)
    ]
    return tuple(found)


def check(verb: str, options: Mapping[str, object], names: Mapping[str, str] | None = None, by: str = "dense") -> None:
    """Refuse options of `verb` that cannot be combined.

    Args:
        options: option -> value; None, False and empty values count as absent.
        names: option -> what the caller calls it, if that differs.
        by: the search mode.
    Raises:
        InputError: two of them exclude each other, one lacks another, or there is no such search mode.
    """
    present = {option for option, value in options.items() if not (value is None or value is False or _is_empty(value))}
    present.add("by")
    spelled = {**(names or {}), "by": f"{(names or {}).get('by', 'by')} {clip(by, 40)}"}
    for rule in rules(verb, by):
        first, second = spelled.get(rule[0], rule[0]), spelled.get(rule[1], rule[1])
        if isinstance(rule, Apart) and rule.first in present and rule.second in present:
            raise InputError(f"{first} and {second} cannot be combined: {rule.reason}")
        if isinstance(rule, Needs) and rule.option in present and rule.other not in present:
            raise InputError(f"{first} needs {second}: {rule.reason}")


def check_flag(value: object, name: str) -> None:
    """Refuse a value that is not True or False.

    Raises:
        InputError: names the option.
    """
    if not isinstance(value, bool):
        raise InputError(f"{name} must be True or False, not {clip(repr(value), 40)}")


def _is_empty(value: object) -> bool:
    return isinstance(value, Sized) and len(value) == 0
