"""A retrieval benchmark in the BEIR layout: corpus, queries, qrels/test.tsv, plain or gzip."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from ..files import path_of
from .corpus import Document
from .judgments import Judgments, absent_documents, own_note, read_judged_queries
from .skipped import Skipped
from .sources import read_corpora


@dataclass(frozen=True)
class Benchmark:
    """Documents, judged queries and judgments. Results of a query leave out the document with its id (`own_rows`)."""

    name: str
    documents: list[Document]
    query_ids: list[str]
    queries: list[str]
    judgments: Judgments  # documents may be absent
    notes: tuple[str, ...] = ()  # notes about omitted queries and absent judged documents


def read_benchmark(folder: Path, skipped: Skipped | None = None) -> Benchmark:
    """Read one benchmark folder."""
    judged = read_judged_queries(_qrels(folder), _either(folder / "queries.jsonl"), skipped)
    documents = read_corpora([_either(folder / "corpus.jsonl")], skipped)
    return checked(Benchmark(folder.name, documents, judged.ids, judged.texts, judged.judgments, tuple(judged.notes)))


def own_rows(benchmark: Benchmark) -> list[int | None]:
    """For each query, the row of the document with its id, which BEIR's evaluation does not rank; None if absent."""
    row_of = {document.id: row for row, document in enumerate(benchmark.documents)}
    return [row_of.get(identifier) for identifier in benchmark.query_ids]


def checked(benchmark: Benchmark) -> Benchmark:
    """The benchmark, with notes on judged documents that are not in the corpus and on queries that have the id of a
    document.

    Raises:
        InputError: no judged document is in the corpus.
    """
    known = {document.id for document in benchmark.documents}
    try:
        absent = absent_documents(benchmark.judgments, known.__contains__)
    except InputError as error:
        raise InputError(f"{benchmark.name}: {error}") from error
    own = [query for query, row in zip(benchmark.query_ids, own_rows(benchmark), strict=True) if row is not None]
    relevant = sum(benchmark.judgments[query].get(query, 0) > 0 for query in own)
    own_notes = [own_note(len(own), relevant)] if own else []
    return replace(benchmark, notes=(*benchmark.notes, *absent, *own_notes))


def sample_benchmark(
    benchmark: Benchmark, queries: int | None = None, documents: int | None = None, seed: int = 0
) -> Benchmark:
    """A smaller benchmark: some queries, every document judged for them, and other documents up to `documents` in
    total.

    None keeps all. The queries' own documents (same id) are kept too. The paper samples corpora the same way:
    judged documents first, random ones up to a size.
    """
    order = list(range(len(benchmark.queries)))
    if queries is not None and queries < len(order):
        order = sorted(random.Random(f"{seed} queries").sample(order, queries))
    ids = [benchmark.query_ids[row] for row in order]
    judgments = {query: benchmark.judgments[query] for query in ids}
    kept = benchmark.documents
    if documents is not None and documents < len(kept):
        wanted = set(ids).union(*judgments.values())
        others = [document.id for document in kept if document.id not in wanted]
        room = max(0, documents - (len(kept) - len(others)))
        wanted.update(random.Random(f"{seed} documents").sample(others, min(room, len(others))))
        kept = [document for document in kept if document.id in wanted]
    return Benchmark(benchmark.name, kept, ids, [benchmark.queries[row] for row in order], judgments, benchmark.notes)


def open_benchmark(source: str | Path, skipped: Skipped | None = None) -> Benchmark:
    """Open a benchmark: a folder, a name under $XETRIEVAL_DATA, or irds:NAME for ir-datasets.

    Raises:
        InputError: there is none. MissingExtra: irds without ir-datasets.
    """
    text = str(source)
    if text.startswith("irds:"):
        from .irds import read_irds

        return checked(read_irds(text.removeprefix("irds:")))
    home = os.environ.get("XETRIEVAL_DATA")
    for folder in (path_of(source), *([path_of(home) / text] if home else [])):
        if folder.is_dir():
            return read_benchmark(folder, skipped)
    where = f"nor under XETRIEVAL_DATA={home}" if home else "and XETRIEVAL_DATA is not set"
    raise InputError(f"{text}: no such folder, {where}; give a BEIR folder, its name there, or irds:NAME")


def _qrels(folder: Path) -> Path:
    """qrels/test.tsv, otherwise dev, otherwise train, plain or gzip."""
    names = [f"{split}.tsv{ending}" for split in ("test", "dev", "train") for ending in ("", ".gz")]
    for name in names:
        if (folder / "qrels" / name).is_file():
            return folder / "qrels" / name
    raise InputError(f"{folder}: no judgments; expected qrels/test.tsv, dev.tsv or train.tsv, plain or .gz")


def _either(path: Path) -> Path:
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.is_file():
            return candidate
    raise InputError(f"{path}: no such file, plain or .gz")
