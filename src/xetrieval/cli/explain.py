"""xetrieval explain: explain one pair or a file of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import Option
from ..errors import InputError
from .console import as_json, print_message, write
from .options import (
    FORMATS,
    CacheOption,
    EncoderOption,
    ExplainerOption,
    ReportFormat,
    TopOption,
    open_explainer,
    print_encoder_notes,
)
from .output import check_output, show
from .progress import progress_bar
from .shared import check_options
from .skipped import SkipBad, report_skipped, skipped_rows

if TYPE_CHECKING:
    from ..data import Skipped
    from ..explain import Contrast, Explainer, Explanation


@dataclass(frozen=True)
class PairOptions:
    """A file of pairs to explain, and the explainer to use."""

    source: Annotated[
        Path | None, Option("JSON Lines with query, doc and optionally query_id, doc_id; or -.", "--input")
    ] = None
    output: Annotated[
        Path | None, Option("Where to write the explanation; with --input, one per line. Default: -.")
    ] = None
    skip_bad: SkipBad = False
    query_vectors: Annotated[Path | None, Option("Vectors of the queries (.npy, .safetensors, .parquet).")] = None
    document_vectors: Annotated[Path | None, Option("Vectors of the documents, in the order of the queries.")] = None
    explainer: ExplainerOption = "minilm"
    encoder: EncoderOption = None
    cache: CacheOption = None

    def open(self) -> Explainer:
        """The explainer."""
        return open_explainer(self.explainer, self.encoder, self.cache)


@dataclass(frozen=True)
class AnswerOptions:
    """What an explanation contains, and how it is written."""

    top: TopOption = None
    format: Annotated[ReportFormat | None, FORMATS] = None
    evidence: Annotated[bool, Option("Also show which sentences and words carry each feature.")] = False
    chunks: Annotated[bool, Option("Split a long document into chunks; explain the best one, list the others.")] = False
    over: Annotated[str | None, Option("A second document: explain why the first scores above or below it.")] = None
    context: Annotated[
        Path | None, Option("A folder or file with at least 50 documents: explain with features trained on them.")
    ] = None
    counterfactual: Annotated[bool, Option("With --over: the smallest change that would swap them.")] = False


def explain(
    pairs: PairOptions,
    answer: AnswerOptions,
    query: Annotated[str | None, typer.Argument(help="The query.")] = None,
    document: Annotated[str | None, typer.Argument(help="The document; - is standard input.")] = None,
) -> None:
    """Explain why a document gets its score: features, shares, remainder."""
    written_as = answer.format if answer.format is not ReportFormat.json else None
    rows = pairs.source or answer.context
    check_options(
        "explain",
        {**vars(pairs), **vars(answer), "text": query, "input": pairs.source, "written_as": written_as, "rows": rows},
        {"text": "QUERY DOCUMENT", "written_as": "a --format other than json", "rows": "--input or --context"},
    )
    source, q, z = pairs.source, pairs.query_vectors, pairs.document_vectors
    if query is None and source is None and q is None:
        raise InputError("give QUERY and DOCUMENT, or --input FILE, or --query-vectors and --document-vectors")
    check_output(pairs.output, *(path for path in (source, q, z) if path is not None), Path(pairs.explainer))
    if query is not None:
        _texts(pairs, answer, query, document)
    elif source is not None:
        _file(pairs, source, answer)
    elif q is not None and z is not None:
        _vectors(pairs, q, z, answer.top)


def _texts(pairs: PairOptions, answer: AnswerOptions, query: str, document: str | None) -> None:
    from ..explain import DEFAULT_TOP
    from .streams import texts_or_input

    if document is None:
        raise InputError("the document is missing; give both: xetrieval explain QUERY DOCUMENT")
    first, second, over = texts_or_input(query, document, answer.over)
    assert first is not None
    assert second is not None
    opened = pairs.open()
    if answer.context is not None:
        skipped = skipped_rows(skip_bad=pairs.skip_bad)
        texts = [first, second] if over is None else [first, second, over]
        opened = _of_context(opened, answer.context, texts, skipped)
        report_skipped(skipped, pairs.output)
    found: Explanation | Contrast
    if over is not None:
        found = opened.contrast(first, second, over, counterfactual=answer.counterfactual)
    else:
        found = opened.explain_chunks(first, second) if answer.chunks else opened.explain(first, second)
    print_encoder_notes(opened.notes)
    if answer.evidence:
        found = opened.with_evidence(found, DEFAULT_TOP if answer.top is None else answer.top)
    show(found, answer.top, answer.format or ReportFormat.text, pairs.output)


def _of_context(opened: Explainer, context: Path, texts: list[str], skipped: Skipped) -> Explainer:
    """An explainer whose features are trained on the given documents; prints how much they explain."""
    from ..data import read_corpora
    from ..explain.verdict import verdict
    from ..fitting.context import explainer_of_context

    with progress_bar() as progress:
        made = explainer_of_context(opened, read_corpora([context], skipped), texts, progress=progress)
    figures = made.metrics.get("pairs")
    how = f": {verdict(figures['explained'], figures['explained_untrained']).why}" if figures else ""
    print_message(f"features learned from {made.provenance['context']:,} documents of {context}{how}")
    own, other = (one.explain(texts[0], texts[1]).explained_without_bias for one in (made, opened))
    if own is not None and other is not None:
        print_message(
            f"of this score without the bias, they explain {own:.2f}, the features of {opened.name} {other:.2f}"
        )
    return made


def _file(pairs: PairOptions, source: Path, answer: AnswerOptions) -> None:
    from ..explain import explain_file
    from ..files import is_stream
    from ..files.atomic import STANDARD
    from .streams import readable

    opened = pairs.open()
    output, skipped = pairs.output or Path(STANDARD), skipped_rows(skip_bad=pairs.skip_bad)
    with readable([source], skipped) as (kept,), progress_bar() as progress:
        written = explain_file(opened, kept, output, skipped, answer.top, progress, evidence=answer.evidence)
    print_encoder_notes(opened.notes)
    print_message(f"{written.explained} pairs explained" + ("" if is_stream(output) else f" in {output}"))
    if written.truncated:
        print_message(f"{written.truncated} of them have text past the encoder's length limit, which was not read")
    if written.unreadable:
        print_message(f"{written.unreadable} of them have text that is mostly unknown to the encoder")
    report_skipped(skipped, output)


def _vectors(options: PairOptions, queries: Path, documents: Path, top: int | None) -> None:
    from ..encoders import read_vectors
    from ..explain.pairs import PairNames
    from ..files import write_bytes

    opened = open_explainer(options.explainer, None, None)
    q, z = read_vectors(queries), read_vectors(documents)
    rows = [str(row) for row in range(len(q.vectors))]
    names = PairNames(q.ids or rows, z.ids or rows)
    pairs = opened.explain_vectors(q.vectors, z.vectors, names)
    lines = "".join(f"{as_json(pair.top(top).to_dict())}\n" for pair in pairs)
    if options.output is None:
        write(lines)
    else:
        write_bytes(options.output, lines.encode())
        print_message(f"{len(pairs)} pairs explained in {options.output}")
