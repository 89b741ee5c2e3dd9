"""Benchmarks of pairs, their digests, and a pair that is short enough to print."""

from __future__ import annotations

from pathlib import Path

from xetrieval.data import Document
from xetrieval.data.benchmark import Benchmark
from xetrieval.data.lines import read_tab_lines
from xetrieval.errors import InputError
from xetrieval.files import digest_of


def benchmark_of_pairs(name: str, documents: list[Document], pairs: Path) -> Benchmark:
    """A pairs file (question-id, answer-id, ...) as a benchmark: each question is a query for its answers.

    Raises:
        InputError: no such file, a line that cannot be used, or no question of it is among the documents.
    """
    known = {document.id: document for document in documents}
    judged: dict[str, dict[str, int]] = {}
    for _, (question, answer, *_) in read_tab_lines(pairs, 2):
        if question in known:
            judged.setdefault(question, {})[answer] = 1
    if not judged:
        raise InputError(f"{pairs}: none of its questions is in the corpus; it may belong to another corpus")
    return Benchmark(name, documents, list(judged), [known[query].text for query in judged], judged)


def digest(benchmark: Benchmark) -> str:
    """sha256 of everything that a measurement reads: documents, queries, judgments."""
    documents = [[document.id, document.text] for document in benchmark.documents]
    judgments = [sorted(benchmark.judgments[query].items()) for query in benchmark.query_ids]
    return digest_of([documents, benchmark.query_ids, benchmark.queries, judgments])


def first_short_pair(benchmark: Benchmark, query_letters: int = 400, document_letters: int = 1500) -> tuple[str, str]:
    """The first judged query and relevant document that are both short enough to print.

    Raises:
        InputError: there is none.
    """
    texts = {document.id: document.text for document in benchmark.documents}
    for identifier, query in zip(benchmark.query_ids, benchmark.queries, strict=True):
        relevant = [texts[d] for d, grade in benchmark.judgments[identifier].items() if grade > 0 and d in texts]
        if relevant and len(query) < query_letters and len(relevant[0]) < document_letters:
            return query, relevant[0]
    raise InputError(f"{benchmark.name}: no short pair")
