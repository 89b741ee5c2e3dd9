"""Views of a benchmark's documents, from internalizers or from texts that a teacher wrote about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..arrays import Float32
from ..data.benchmark import Benchmark
from ..encoders import Encoder, read_texts
from ..errors import InputError
from ..internalizer import Internalizer
from ..teachers import TeacherPair
from ..views import View, in_order
from .vectors import of_queries


class TaughtBenchmark(NamedTuple):
    """A benchmark restricted to the documents with texts, and the embeddings of those texts."""

    benchmark: Benchmark
    views: dict[View, Float32]  # [d, m]
    missing: int  # missing texts, replaced by the document's own vector


def internalized(internalizers: Mapping[View, Internalizer], documents: Float32) -> dict[View, Float32]:
    """R_t(z) of every aspect, each [d, m]."""
    return {aspect: internalizers[aspect](documents) for aspect in in_order(internalizers)}


def taught(benchmark: Benchmark, lessons: Sequence[TeacherPair], encoder: Encoder) -> TaughtBenchmark:
    """The chain-of-thought reasoner: embedded texts about documents. Documents without any are removed.

    Raises:
        InputError: no document has a text, or no query has a judged document left.
    """
    texts = {(lesson.source, lesson.aspect): lesson.target for lesson in lessons}
    aspects = in_order(lesson.aspect for lesson in lessons)
    documents = [d for d in benchmark.documents if any((d.text, aspect) in texts for aspect in aspects)]
    part = restricted(benchmark, {document.id for document in documents})
    bodies = [document.text for document in part.documents]
    views, missing = {}, 0
    for aspect in aspects:
        chosen = [texts.get((body, aspect)) for body in bodies]
        missing += chosen.count(None)
        views[aspect] = read_texts(
            encoder, [body if text is None else text for body, text in zip(bodies, chosen, strict=True)], "document"
        ).vectors
    return TaughtBenchmark(part, views, missing)


def restricted(benchmark: Benchmark, ids: set[str]) -> Benchmark:
    """The benchmark with only these documents, and the queries that have a relevant one among them.

    Raises:
        InputError: no query is left.
    """
    rows = [
        row
        for row, query in enumerate(benchmark.query_ids)
        if any(grade > 0 and name in ids for name, grade in benchmark.judgments[query].items())
    ]
    if not rows:
        raise InputError(f"{benchmark.name}: no query has a relevant document among the {len(ids)} with texts")
    part = of_queries(benchmark, rows)
    judgments = {q: {d: grade for d, grade in judged.items() if d in ids} for q, judged in part.judgments.items()}
    kept = [document for document in benchmark.documents if document.id in ids]
    return replace(part, documents=kept, judgments=judgments)
