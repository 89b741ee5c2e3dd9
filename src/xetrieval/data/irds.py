"""Benchmarks from ir-datasets (BEIR, BRIGHT, TREC and many more), which downloads them if needed."""

from __future__ import annotations

import logging
from typing import Any

from ..errors import InputError
from ..extras import require
from .benchmark import Benchmark
from .corpus import Document


def read_irds(name: str) -> Benchmark:
    """The documents, judged queries and judgments of a data set, e.g. beir/scifact/test.

    Raises:
        InputError: no such data set, no queries or judgments, or it cannot be downloaded.
        MissingExtra: ir-datasets is not installed.
    """
    package = require("ir_datasets", "irds")
    logging.getLogger("ir_datasets").setLevel(logging.CRITICAL)  # hides its retries; the error has the last reason
    try:
        dataset = package.load(name)
    except KeyError as error:
        raise InputError(f"irds:{name}: ir-datasets has no such data set") from error
    if not (dataset.has_docs() and dataset.has_queries() and dataset.has_qrels()):
        raise InputError(f"irds:{name}: lacks documents, queries or judgments; name a split, e.g. /test")
    try:
        judgments: dict[str, dict[str, int]] = {}
        for judgment in dataset.qrels_iter():
            judgments.setdefault(str(judgment.query_id), {})[str(judgment.doc_id)] = int(judgment.relevance)
        queries = {str(q.query_id): q.default_text() for q in dataset.queries_iter() if str(q.query_id) in judgments}
        documents = [document for raw in dataset.docs_iter() if (document := _document(raw)) is not None]
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()
        raise InputError(
            f"irds:{name}: cannot be fetched ({reason[0][:160] if reason else 'no reason given'})"
        ) from error
    if not queries:
        raise InputError(f"irds:{name}: no query has judgments")
    return Benchmark(name, documents, list(queries), list(queries.values()), judgments)


def _document(raw: Any) -> Document | None:
    """The document, or None if it has no text and so can be neither embedded nor found."""
    title, whole = str(getattr(raw, "title", "") or "").strip(), raw.default_text().strip()
    body = str(getattr(raw, "text", whole) or "").strip()
    identifier = str(raw.doc_id)
    return Document(identifier, whole, body, identifier, {"title": title, "metadata": {}}) if whole else None
