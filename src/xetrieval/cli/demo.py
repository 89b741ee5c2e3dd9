"""xetrieval demo: search this Python's documentation and see why the top hits were found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import Option, Range, ServeConfig
from ..errors import InputError
from ..text import printable
from .console import output_console, print_message
from .options import CacheOption, ExplainerOption, open_explainer
from .progress import progress_bar
from .shared import check_options

if TYPE_CHECKING:
    from ..data import Document
    from ..explain import Explainer
    from ..index import Index

QUESTIONS = (
    "how do I run a function in a background thread and wait for its result",
    "read a compressed archive without extracting it to disk",
    "what happens when an exception is raised inside a with statement",
)


@dataclass(frozen=True)
class PageOptions:
    """Whether to serve the index, and where."""

    serve: Annotated[bool, Option("Serve the page for it until Ctrl-C.")] = False
    port: Annotated[int | None, Option(f"With --serve: the port. Default: {ServeConfig.port}.")] = None


def demo(
    query: Annotated[str | None, typer.Argument(help="A question of your own, instead of our three.")] = None,
    explainer: ExplainerOption = "minilm",
    passages: Annotated[int, Option("Passages of documentation to embed."), Range(10)] = 1500,
    hits: Annotated[int, Option("How many documents per question.", "-k"), Range(1)] = 3,
    index: Annotated[Path | None, Option("Folder of the index, to use with search and why later.")] = None,
    *,
    page: PageOptions,
    cache: CacheOption = None,
) -> None:
    """Index this Python's own documentation, search it and explain each top hit."""
    from ..data.python_docs import python_docs
    from ..index.store.ours import check_ours

    check_options("demo", {"query": query, "serve": page.serve, "port": page.port is not None}, {"query": "QUERY"})
    if query is not None and not query.strip():
        raise InputError("the query is empty; give it some text")
    if index is not None:
        check_ours(index)
    opened = open_explainer(explainer, None, cache)
    documents = python_docs(passages)
    found = _index(opened, documents, index, cache)
    if page.serve:
        from ..serve.run import run

        run(
            {"python-documentation": found},
            found.explainer,
            ServeConfig(ServeConfig.port if page.port is None else page.port, quiet=True),
            print_message,
        )
        return
    console = output_console()
    console.print(
        f"{len(documents):,} passages of this Python's documentation, embedded once with {opened.encoder.identity.name}"
    )
    for question in [query] if query is not None else QUESTIONS:
        _answer(found, question, hits)
    if index is not None:
        print_message(f'try next: xetrieval search {index} "{QUESTIONS[0]}" --explain')


def _index(explainer: Explainer, documents: list[Document], folder: Path | None, cache: Path | None) -> Index:
    """The index of these documents, built unless it exists. With enough documents, it trains its own dictionary."""
    from tempfile import TemporaryDirectory

    from ..explain import load
    from ..index import Corpus, build_index, open_index
    from ..index.store.manifest import explainer_of

    target = folder or demo_folder(explainer, documents, cache)
    with TemporaryDirectory() as scratch, progress_bar() as progress:
        corpus = Path(scratch) / "python-documentation.jsonl"
        records = ({"_id": d.id, "title": d.fields["title"], "text": d.body} for d in documents)
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        corpus.write_text("".join(lines), encoding="utf-8")
        build_index(Corpus((corpus,)), explainer, target, progress=progress)
    return open_index(target, load(explainer_of(target), cache=explainer.cache).sharing_encoder(explainer))


def demo_folder(explainer: Explainer, documents: list[Document], cache: Path | None = None) -> Path:
    """Where the index of these documents is kept unless a folder is given."""
    from ..files import cache_folder, digest_of

    made_of = digest_of(
        [explainer.digest, "own dictionary, words and names", [document.text for document in documents]]
    )
    return (cache or cache_folder()) / f"demo-{made_of[:16]}"


def _answer(index: Index, question: str, hits: int) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from ..render.text import table_of

    console = output_console()
    console.print()
    console.print(Text(printable(question), "bold"))
    found = index.search(question, hits)
    for hit in found:
        console.print(
            Text(f"  {hit.rank}. {hit.score:.3f}  {printable(hit.doc_id)}", "cyan" if hit.rank == 1 else "dim")
        )
        if hit.rank == 1:
            console.print(Padding(Text(printable(hit.snippet), "italic"), (0, 0, 0, 5)))
    console.print(Text(f"\nWhy {printable(found[0].doc_id)} came first:", "bold"))
    console.print(table_of(found[0].explanation))
