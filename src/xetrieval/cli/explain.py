"""xetrieval explain: one pair, or a file of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..options import check
from .console import as_json, give, say
from .options import CacheOption, EncoderOption, ExplainerOption, ReportFormat, TopOption, open_explainer, say_notes
from .output import check_output, show
from .progress import progress_bar
from .skipped import SkipBad, collector, report_skipped

if TYPE_CHECKING:
    from ..explain import Contrast, Explainer, Explanation


NAMES = ("input", "query_vectors", "document_vectors", "encoder", "cache", "evidence", "chunks", "skip_bad")
TYPED = {name: f"--{name.replace('_', '-')}" for name in (*NAMES, "over", "output", "counterfactual")}
TYPED |= {"text": "QUERY DOCUMENT", "written_as": "--format text or html"}


def explain(
    query: Annotated[str | None, typer.Argument(help="The query.")] = None,
    document: Annotated[str | None, typer.Argument(help="The document; - is standard input.")] = None,
    source: Annotated[
        Path | None, typer.Option("--input", help="JSON lines with query, doc and optionally query_id, doc_id; or -.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Where to write it; with --input, one per line. Default: -."),
    ] = None,
    skip_bad: SkipBad = False,
    query_vectors: Annotated[
        Path | None,
        typer.Option("--query-vectors", help="Vectors of the queries (.npy, .safetensors, .parquet)."),
    ] = None,
    document_vectors: Annotated[
        Path | None,
        typer.Option("--document-vectors", help="Vectors of the documents, in the order of the queries."),
    ] = None,
    explainer: ExplainerOption = "minilm",
    encoder: EncoderOption = None,
    top: TopOption = None,
    format: Annotated[
        ReportFormat | None,
        typer.Option(
            "--format",
            help="text (default), json, markdown (to paste into an issue), html (one page that needs no network), or "
            "release (field names of the paper's release).",
        ),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Also show which sentences and words carry each feature.")
    ] = False,
    chunks: Annotated[
        bool, typer.Option("--chunks", help="Score a long document in chunks; explain the best and list the others.")
    ] = False,
    over: Annotated[
        str | None, typer.Option("--over", help="A second document: explain why the first scores above or below it.")
    ] = None,
    counterfactual: Annotated[
        bool, typer.Option("--counterfactual", help="With --over: the smallest change that would swap them.")
    ] = False,
    cache: CacheOption = None,
) -> None:
    """Explain why a document gets its score: features, shares, remainder."""
    from ..errors import InputError
    from ..explain import DEFAULT_TOP
    from .streams import texts_or_input

    asked: dict[str, Any] = {"text": query, "input": source}
    asked |= {"query_vectors": query_vectors, "document_vectors": document_vectors}
    asked |= {"encoder": encoder, "cache": cache, "evidence": evidence, "chunks": chunks, "skip_bad": skip_bad}
    written_as = format if format is not ReportFormat.json else None
    check(
        "explain",
        {**asked, "written_as": written_as, "over": over, "output": output, "counterfactual": counterfactual},
        TYPED,
    )
    if query is None and source is None and query_vectors is None:
        raise InputError("give QUERY and DOCUMENT, or --input FILE, or --query-vectors and --document-vectors")
    format = format or ReportFormat.text
    if query is not None:
        if document is None:
            raise InputError("the document is missing; give both: xetrieval explain QUERY DOCUMENT")
        check_output(output, Path(explainer))
        given = texts_or_input(query, document, over)
        opened = open_explainer(explainer, encoder, cache)
        shown = _texts(opened, given, counterfactual, chunks)
        say_notes(opened.notes)
        if evidence:
            shown = opened.with_evidence(shown, DEFAULT_TOP if top is None else top)
        show(shown, top, format, output)
    elif source is not None:
        check_output(output, source, Path(explainer))
        _file(source, output, skip_bad, open_explainer(explainer, encoder, cache), top, evidence)
    elif query_vectors is not None and document_vectors is not None:
        check_output(output, query_vectors, document_vectors, Path(explainer))
        _vectors(query_vectors, document_vectors, output, explainer, top)


def _texts(opened: Explainer, texts: list[str | None], counterfactual: bool, chunks: bool) -> Explanation | Contrast:
    query, document, over = texts
    assert query is not None
    assert document is not None
    if over is not None:
        return opened.contrast(query, document, over, counterfactual=counterfactual)
    return opened.explain_chunks(query, document) if chunks else opened.explain(query, document)


def _file(
    source: Path,
    given: Path | None,
    skip_bad: bool,
    opened: Explainer,
    top: int | None,
    evidence: bool,
) -> None:
    from ..explain import explain_file
    from ..files import is_stream
    from ..files.atomic import STANDARD
    from .streams import readable

    output, skipped = given or Path(STANDARD), collector(skip_bad)
    with readable([source], skipped) as (kept,), progress_bar() as progress:
        written = explain_file(opened, kept, output, skipped, top, progress, evidence=evidence)
    say_notes(opened.notes)
    say(f"{written.explained} pairs explained" + ("" if is_stream(output) else f" in {output}"))
    if written.truncated:
        say(f"{written.truncated} of them have text past the encoder's limit, which it never read")
    if written.unreadable:
        say(f"{written.unreadable} of them have text that is mostly unknown to the encoder")
    report_skipped(skipped, output)


def _vectors(queries: Path, documents: Path, output: Path | None, explainer: str, top: int | None) -> None:
    from ..encoders import read_vectors
    from ..explain.pairs import PairNames
    from ..files import write_bytes

    opened = open_explainer(explainer, None, None)
    q, z = read_vectors(queries), read_vectors(documents)
    rows = [str(row) for row in range(len(q.vectors))]
    names = PairNames(q.ids or rows, z.ids or rows)
    pairs = opened.explain_vectors(q.vectors, z.vectors, names)
    lines = "".join(f"{as_json(pair.top(top).to_dict())}\n" for pair in pairs)
    if output is None:
        give(lines)
    else:
        write_bytes(output, lines.encode())
        say(f"{len(pairs)} pairs explained in {output}")
