"""xetrieval demo: ask the Python documentation that this machine has, and see why each answer came first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import CacheOption, ExplainerOption, open_explainer, output_console, progress_bar

if TYPE_CHECKING:
    from ..data import Document
    from ..explainer import Explainer

QUESTIONS = (
    "how do I run a function in a background thread and wait for its result",
    "read a compressed archive without extracting it to disk",
    "what happens when an exception is raised inside a with statement",
)


def demo(
    query: Annotated[str | None, typer.Argument(help="Your own question instead of three of ours.")] = None,
    explainer: ExplainerOption = "minilm",
    passages: Annotated[int, typer.Option("--passages", min=10, help="Passages of documentation to embed.")] = 1500,
    hits: Annotated[int, typer.Option("--hits", min=1, help="Results listed per question.")] = 3,
    cache: CacheOption = None,
) -> None:
    """Search this Python's own documentation and explain each top hit."""
    from ..data.python_docs import python_docs

    opened = open_explainer(explainer, None, cache)
    documents = python_docs(passages)
    console = output_console()
    console.print(
        f"{len(documents)} passages of this Python's documentation, embedded once with {opened.encoder.identity.name}"
    )
    vectors = _embed(opened, documents, cache)
    for question in [query] if query is not None else QUESTIONS:
        _answer(opened, documents, vectors, question, hits)


def _embed(explainer: Explainer, documents: list[Document], cache: Path | None) -> object:
    from ..encoders import CachedEncoder, read_texts

    with progress_bar() as bar:
        task = bar.add_task("embed", total=len(documents), note="")
        encoder = explainer.encoder
        if isinstance(encoder, CachedEncoder):
            encoder.report = lambda done, total: bar.update(task, completed=done)
        vectors = read_texts(encoder, [document.text for document in documents], "document").vectors
        bar.update(task, completed=len(documents))
        if isinstance(encoder, CachedEncoder):
            encoder.report = None
    return vectors


def _answer(explainer: Explainer, documents: list[Document], vectors: object, question: str, hits: int) -> None:
    import numpy as np
    from rich.text import Text

    from ..encoders import read_texts
    from ..explain.terminal import printable, renderable

    matrix = np.asarray(vectors)
    q = read_texts(explainer.encoder, [question], "query").vectors
    scores = matrix @ q[0]
    best = np.argsort(-scores, kind="stable")[:hits]
    console = output_console()
    console.print()
    console.print(Text(printable(question), "bold"))
    for rank, row in enumerate(best, 1):
        passage = printable(documents[row].body)
        console.print(Text(f"  {rank}. {scores[row]:.3f}  {documents[row].id}", "cyan" if rank == 1 else "dim"))
        if rank == 1:
            console.print(Text(f"     {passage[:200]}{'…' if len(passage) > 200 else ''}", "italic"))
    console.print(Text(f"\nWhy {documents[best[0]].id} came first:", "bold"))
    console.print(renderable(explainer.explain_vectors(q, matrix[best[:1]])[0]))
