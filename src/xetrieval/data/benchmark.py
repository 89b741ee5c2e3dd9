"""A retrieval benchmark in the BEIR layout: corpus, queries, qrels/test.tsv, plain or gzip."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..store import digest_of
from .corpus import Document
from .lines import BadLine, read_json_lines, read_tab_lines
from .sources import read_corpora


@dataclass(frozen=True)
class Benchmark:
    """Documents, judged queries and judgments. A query's own document (same id) is not one of its results."""

    name: str
    documents: list[Document]
    query_ids: list[str]
    queries: list[str]
    judgments: dict[str, dict[str, int]]  # query id -> document id -> grade; documents may be absent


def read_benchmark(folder: Path) -> Benchmark:
    """Read one benchmark folder.

    Raises:
        InputError: a file is missing, a line cannot be used, or no query has judgments.
    """
    judgments = read_judgments(_qrels(folder))
    pairs = zip(*read_queries(_either(folder / "queries.jsonl")), strict=True)
    judged = [(identifier, text) for identifier, text in pairs if identifier in judgments]
    if not judged:
        raise InputError(f"{folder}: no query of queries.jsonl has judgments in qrels/test.tsv")
    ids, texts = [identifier for identifier, _ in judged], [text for _, text in judged]
    return Benchmark(folder.name, read_corpora([folder]), ids, texts, judgments)


def read_judgments(path: Path) -> dict[str, dict[str, int]]:
    """{query id: {document id: grade}} of a qrels file with tabs, with or without a head line.

    Raises:
        InputError: no such file, or a line that cannot be used.
    """
    judgments: dict[str, dict[str, int]] = {}
    for number, (query, document, grade, *_) in read_tab_lines(path, 3):
        if number == 1 and grade == "score":
            continue
        if not grade.lstrip("-").isdigit():
            raise InputError(f"{path}, line {number}: the score {grade!r} is not a whole number")
        judgments.setdefault(query, {})[document] = int(grade)
    return judgments


def read_queries(path: Path) -> tuple[list[str], list[str]]:
    """Ids and texts of a queries.jsonl.

    Raises:
        InputError: no such file, or a line without a text.
    """
    ids, texts = [], []
    for number, entry in enumerate(read_json_lines(path), 1):
        if isinstance(entry, BadLine):
            raise entry.error()
        text = entry.text("text")
        if isinstance(text, BadLine):
            raise text.error()
        ids.append(str(entry.record.get("_id", number)))
        texts.append(text)
    return ids, texts


def sample_benchmark(
    benchmark: Benchmark, queries: int | None = None, documents: int | None = None, seed: int = 0
) -> Benchmark:
    """A smaller benchmark: some queries, every document judged for them, and others up to `documents` in all.

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
    return Benchmark(benchmark.name, kept, ids, [benchmark.queries[row] for row in order], judgments)


def benchmark_of_pairs(name: str, documents: list[Document], pairs: Path) -> Benchmark:
    """A pairs file (question-id, answer-id, ...) as a benchmark: documents that are questions search for their answers.

    Raises:
        InputError: no such file, a line that cannot be used, or no question of it is among the documents.
    """
    known = {document.id: document for document in documents}
    judged: dict[str, dict[str, int]] = {}
    for _, (question, answer, *_) in read_tab_lines(pairs, 2):
        if question in known:
            judged.setdefault(question, {})[answer] = 1
    if not judged:
        raise InputError(f"{pairs}: none of its questions is in the corpus; was it made from another one?")
    return Benchmark(name, documents, list(judged), [known[query].text for query in judged], judged)


def benchmark_digest(benchmark: Benchmark) -> str:
    """sha256 of all that a measurement reads of it: documents, queries, judgments."""
    documents = [[document.id, document.text] for document in benchmark.documents]
    judgments = [sorted(benchmark.judgments[query].items()) for query in benchmark.query_ids]
    return digest_of([documents, benchmark.query_ids, benchmark.queries, judgments])


def first_short_pair(benchmark: Benchmark, query_letters: int = 400, document_letters: int = 1500) -> tuple[str, str]:
    """The first judged query with a relevant document that are both short enough to be shown.

    Raises:
        InputError: there is none.
    """
    texts = {document.id: document.text for document in benchmark.documents}
    for identifier, query in zip(benchmark.query_ids, benchmark.queries, strict=True):
        relevant = [texts[d] for d, grade in benchmark.judgments[identifier].items() if grade > 0 and d in texts]
        if relevant and len(query) < query_letters and len(relevant[0]) < document_letters:
            return query, relevant[0]
    raise InputError(f"{benchmark.name}: no short pair")


def open_benchmark(source: str | Path) -> Benchmark:
    """A benchmark by its folder, by its name under $XETRIEVAL_DATA, or as irds:NAME through ir-datasets.

    Raises:
        InputError: there is none. MissingExtra: irds without ir-datasets.
    """
    text = str(source)
    if text.startswith("irds:"):
        from .irds import read_irds

        return read_irds(text.removeprefix("irds:"))
    home = os.environ.get("XETRIEVAL_DATA")
    if Path(source).is_dir():
        return read_benchmark(Path(source))
    if home and (Path(home) / text).is_dir():
        return read_benchmark(Path(home) / text)
    where = f"nor under XETRIEVAL_DATA={home}" if home else "and XETRIEVAL_DATA is not set"
    raise InputError(f"{text}: no such folder, {where}; give a BEIR folder, its name there, or irds:NAME")


def _qrels(folder: Path) -> Path:
    """qrels/test.tsv, else dev, else train, plain or gzip."""
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
