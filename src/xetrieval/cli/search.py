"""xetrieval search and why: search an index, and explain the ranks of documents."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import Option, Range
from ..errors import InputError
from ..progress import silent
from ..registry import SEARCH_MODES
from ..text import clip
from .console import as_json, print_json, print_line, print_message, write
from .options import ReportFormat, ReportFormatOption, TopOption
from .output import check_output, print_parts, show, write_output
from .progress import progress_bar
from .shared import check_options
from .skipped import SkipBad, print_messages, report_skipped, skipped_rows

if TYPE_CHECKING:
    from ..arrays import Float32
    from ..index import Index
    from ..index.search.mode import SearchOptions
    from ..index.search.ranking import Hit

CALLED = {"views": "--view", "k": "--hits", "query": "QUERY", "vector": "--query-vector"}  # options named differently
IndexArgument = Annotated[Path, typer.Argument(metavar="INDEX", help="The index's folder.")]
ExplainerCopy = Annotated[str | None, Option("A copy of the index's explainer, with different labels.", "-x")]


@dataclass(frozen=True)
class RankingOptions:
    """How documents are ranked."""

    query_vector: Annotated[
        Path | None,
        Option("The vector of the query, instead of its text (.npy, .safetensors, .parquet); needs no encoder."),
    ] = None
    by: Annotated[str, Option("; ".join(f"{name}: {mode.about}" for name, mode in SEARCH_MODES.items()))] = "dense"
    steer: Annotated[Path | None, Option("A steering profile (JSON).")] = None
    view: Annotated[list[str] | None, Option("VIEW=WEIGHT added to the dense score, e.g. qa=0.3; may be repeated.")] = (
        None
    )
    explainer: ExplainerCopy = None

    def check(self, verb: str, query: str | None, values: Mapping[str, object]) -> None:
        """Refuse options that cannot be combined."""
        values = {**values, "query": query, "vector": self.query_vector, "steer": self.steer, "views": self.view}
        check_options(verb, values, CALLED, self.by)

    def options(self, index: Index) -> SearchOptions:
        """How to rank."""
        from ..index.search.mode import SearchOptions

        profile = None if self.steer is None else index.profile(self.steer)
        return SearchOptions(self.by, profile, read_weights(self.view))


class SearchFormat(StrEnum):
    """How hits are printed."""

    text = "text"
    json = "json"
    trec = "trec"


@dataclass(frozen=True)
class HitOptions:
    """Which hits to find, and what to print about them."""

    queries: Annotated[
        Path | None,
        Option("Search for every query of a file: JSON lines with _id and text, as in BEIR; - is standard input."),
    ] = None
    k: Annotated[int, Option("How many documents.", "--hits -k"), Range(1)] = 10
    filter: Annotated[
        list[str] | None,
        Option(
            "site=cs, 'year>=2020', 'date<2025-01-31', 'src.lang!=en', 'tags~new' (contains), 'name=\"=x\"' "
            "(a text in quotation marks may begin with an operator); may be repeated: all must be met, except that "
            "several "
            "= on one field mean any of these."
        ),
    ] = None
    exact: Annotated[bool, Option("Scan all vectors, even if a faiss index exists.")] = False
    least: Annotated[float | None, Option("Leave out hits with a lower score; for one to use, see doctor.")] = None
    explain: Annotated[bool, Option("Also explain each score.")] = False
    overview: Annotated[bool, Option("Also show what the hits have in common and what sets them apart.")] = False
    good: Annotated[list[str] | None, Option("Id of a relevant hit, for --overview; may be repeated.")] = None
    bad: Annotated[list[str] | None, Option("Id of an irrelevant hit, for --overview; may be repeated.")] = None
    top: TopOption = None
    format: Annotated[SearchFormat, Option("text, json (one line per query), or trec (a run, with --queries).")] = (
        SearchFormat.text
    )
    skip_bad: SkipBad = False

    def check_run(self) -> None:
        """Refuse a TREC run without queries or with explanations."""
        if self.format is SearchFormat.trec and self.queries is None:
            raise InputError("--format trec needs --queries: a run has the hits of many queries")
        if self.format is SearchFormat.trec and self.explain:
            raise InputError("--format trec and --explain cannot be combined: a run has no place for explanations")


def search(
    index: IndexArgument,
    ranking: RankingOptions,
    hits: HitOptions,
    query: Annotated[
        str | None, typer.Argument(help="The query; with --by concept, labels: '\"kidney disease\" -#12'.")
    ] = None,
) -> None:
    """Search an index for a query or for a file of them; --explain shows why each hit was found."""
    from ..explain.explanation import steered_note
    from ..index import open_index
    from ..index.ask.answer import search_answer
    from ..index.ask.overview import overview as overview_of
    from ..index.ask.tables import hit_parts, overview_parts
    from ..index.search.ranking import search as search_index
    from ..index.search.ranking import warn_foreign

    ranking.check("search", query, {**vars(hits), "top": hits.top is not None})
    hits.check_run()
    opened = open_index(index, ranking.explainer)
    options = replace(ranking.options(opened), exact=hits.exact, least=hits.least)
    if hits.queries is not None:
        search_all(opened, hits.queries, options, hits)
        return
    words = read_query(query, ranking.query_vector)
    found = search_index(opened, words, hits.k, options, hits.filter)
    warn_foreign(found.query)
    common = overview_of(opened, found.hits, hits.good or (), hits.bad or ()) if hits.overview else None
    if hits.format is SearchFormat.json:
        print_json(search_answer(found, common, explain=hits.explain, top=hits.top).to_dict())
        return
    if found.query.steered:
        print_line(steered_note(found.query.steered))
    print_messages([*found.query.read.notes("query"), *filter(None, [found.query.unsteered])])
    if found.note or not found.hits:
        print_message(found.note or "no document matches")
    print_parts(hit_parts(found.hits, hits.top, explain=hits.explain), None)
    if common is not None:
        print_parts(overview_parts(common), None)


def search_all(index: Index, queries: Path, options: SearchOptions, hits: HitOptions) -> None:
    """Print the hits of every query of a file as they are found."""
    from statistics import median

    from ..data.judgments import read_queries
    from ..explain.explanation import steered_note
    from ..index.ask.answer import check_run_id, run_lines, search_answer
    from ..index.ask.tables import hit_parts
    from ..index.search.ranking import search as search_index
    from ..index.search.unrelated import in_words
    from .streams import readable

    skipped = skipped_rows(skip_bad=hits.skip_bad)
    with readable([queries], skipped) as (kept,):
        read = read_queries(kept, None, skipped)
    report_skipped(skipped, None)
    for name in read.ids if hits.format is SearchFormat.trec else ():
        check_run_id(name)  # before any work
    best, unanswered, run = [], [], list[str]()
    with nullcontext(silent) if sys.stdout.isatty() else progress_bar() as progress:  # hits show the progress
        for place, (name, text) in enumerate(zip(read.ids, read.texts, strict=True), 1):
            found = search_index(index, text, hits.k, options, hits.filter)
            best += [one for hit in found.hits[:1] if (one := hit.above_unrelated) is not None]
            unanswered += [name] if found.note else []
            if hits.format is SearchFormat.trec:
                ranked = _of_documents(index, text, options, hits, found.hits)
                run += run_lines(name, ranked, hits.k)  # printed whole or not at all: an id may not fit in a run
            elif hits.format is SearchFormat.json:
                answer = search_answer(found, None, explain=hits.explain, top=hits.top)
                print_json({"query_id": name, **answer.to_dict()})
            else:
                query = found.query
                print_line(f"{name}: {text}")
                if query.steered:
                    print_line(steered_note(query.steered))
                notes = (*query.read.notes("query"), *filter(None, (query.unsteered, found.note)))
                print_messages([f"{name}: {note}" for note in notes])
                print_parts(hit_parts(found.hits, hits.top, explain=hits.explain), None)
            progress("search", place, len(read.ids), "")
    write("".join(f"{line}\n" for line in run))
    print_messages([read.note] if read.empty else [])
    middle = [f"the median best hit is {in_words(median(best))}"] if best else []
    few = ", ".join(unanswered[:5]) + (", ..." if len(unanswered) > 5 else "")
    none = [f"nothing here seems to answer {len(unanswered):,} of them: {few}"] if unanswered else []
    print_message("; ".join([f"{len(read.ids):,} queries", *middle, *none]))


def _of_documents(index: Index, text: str, options: SearchOptions, hits: HitOptions, found: list[Hit]) -> list[Hit]:
    """Enough hits for k documents, of which a hit may be a chunk. `found` are the best k hits."""
    from ..index.search.ranking import search as search_index

    k = hits.k
    while len(found) >= k and len({hit.parent or hit.doc_id for hit in found}) < hits.k:
        k *= 4
        found = search_index(index, text, k, options, hits.filter).hits
    return found


@dataclass(frozen=True)
class WhyOptions:
    """What to explain about a rank, and how."""

    over: Annotated[
        str | None,
        Option("Compare with this document; default: the last one in the top, if the document is not in it."),
    ] = None
    k: Annotated[int | None, Option("The size of the top; default: 10.", "--hits -k"), Range(1)] = None
    counterfactual: Annotated[
        bool, Option("Also show the smallest change that would move it out of the top, or into it.")
    ] = False
    evidence: Annotated[bool, Option("Also show which sentences and words carry the shares.")] = False
    top: TopOption = None
    format: ReportFormatOption = ReportFormat.text
    output: Annotated[Path | None, Option("Write the answer to this file.")] = None


def why(
    index: IndexArgument,
    ranking: RankingOptions,
    options: WhyOptions,
    query: Annotated[str | None, typer.Argument(help="The query; omitted with --query-vector.")] = None,
    doc_id: Annotated[str | None, typer.Argument(metavar="DOC_ID", help="The document.")] = None,
) -> None:
    """Explain a document's rank, and why it is not higher."""
    from ..explain import DEFAULT_TOP
    from ..index import open_index
    from ..index.ask.tables import compared_with, why_parts
    from ..index.ask.why import why as ask
    from ..index.search.ranking import prepare, warn_foreign

    ranking.check("why", query if doc_id is not None else None, vars(options))
    copy = None if ranking.explainer is None else Path(ranking.explainer)
    check_output(options.output, ranking.steer, ranking.query_vector, index, copy)
    if ranking.query_vector is not None and doc_id is None:  # `why INDEX DOC_ID --query-vector FILE`
        doc_id, query = query, None
    if doc_id is None:
        raise InputError("give a query and the document's id: xetrieval why INDEX QUERY DOC_ID")
    opened = open_index(index, ranking.explainer)
    words = read_query(query, ranking.query_vector)
    prepared = warn_foreign(prepare(opened, words, ranking.options(opened)))
    over, k, top, format, output = options.over, options.k, options.top, options.format, options.output
    evidence = (DEFAULT_TOP if top is None else top) if options.evidence else None
    answer = ask(opened, prepared, doc_id, over, k, counterfactual=options.counterfactual, evidence=evidence)
    if format is ReportFormat.json:
        write_output(f"{as_json(answer.top(top).to_dict())}\n", output)
        return
    if format is ReportFormat.text:
        print_parts(why_parts(answer, top), output)
        return
    compared = compared_with(answer)
    # A page has one table: the comparison if there is one.
    notes = [answer.head[0], *([compared] if compared else []), *answer.notes]
    show(answer.contrast or answer.explanation, top, format, output, notes)


def read_query(text: str | None, vector: Path | None) -> str | Float32:
    """The query: text, or the one vector of a file."""
    from ..encoders import read_vectors

    if (text is None) == (vector is None):
        raise InputError("give a query, or --query-vector FILE: one of the two")
    if vector is None:
        return text or ""
    found = read_vectors(vector).vectors
    if len(found) != 1:
        raise InputError(f"{vector}: {len(found)} vectors; give one, that of the query")
    return found


def read_weights(given: list[str] | None) -> dict[str, float]:
    """VIEW=WEIGHT options by view."""
    weights = {}
    for text in given or []:
        name, _, value = text.partition("=")
        if name in weights:
            raise InputError(f"--view {clip(text, 80)!r}: {name} already has a weight; give only one")
        try:
            weights[name] = float(value)
        except ValueError:
            weights[name] = math.nan
        if not math.isfinite(weights[name]):
            raise InputError(f"--view {clip(text, 80)!r}: give VIEW=WEIGHT, e.g. qa=0.3")
    return weights
