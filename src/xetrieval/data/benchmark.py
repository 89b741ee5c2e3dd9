"""A retrieval benchmark in the BEIR layout: corpus, queries, qrels/test.tsv, plain or gzip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .corpus import Document, read_corpora
from .lines import BadLine, read_json_lines, read_tab_lines


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
    judgments: dict[str, dict[str, int]] = {}
    path = _either(folder / "qrels" / "test.tsv")
    for number, (query, document, grade, *_) in read_tab_lines(path, 3):
        if number == 1 and grade == "score":
            continue
        if not grade.lstrip("-").isdigit():
            raise InputError(f"{path}, line {number}: the score {grade!r} is not a whole number")
        judgments.setdefault(query, {})[document] = int(grade)
    ids, texts = [], []
    for entry in read_json_lines(_either(folder / "queries.jsonl")):
        if isinstance(entry, BadLine):
            raise entry.error()
        text = entry.text("text")
        if isinstance(text, BadLine):
            raise text.error()
        if str(entry.record.get("_id")) in judgments:
            ids.append(str(entry.record["_id"]))
            texts.append(text)
    if not ids:
        raise InputError(f"{folder}: no query of queries.jsonl has judgments in qrels/test.tsv")
    return Benchmark(folder.name, read_corpora([folder]), ids, texts, judgments)


def _either(path: Path) -> Path:
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.is_file():
            return candidate
    raise InputError(f"{path}: no such file, plain or .gz")
