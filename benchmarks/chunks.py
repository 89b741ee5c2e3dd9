"""What is not read of long documents with and without chunks, how well they are then found, and what cutting costs.

    XETRIEVAL_DATA=... python benchmarks/chunks.py SETS... --cache DIR

Writes benchmarks/chunks.json. A document is ranked where its best chunk is.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xetrieval.configs import ChunkConfig
from xetrieval.data import Document, stream_source
from xetrieval.data.benchmark import Benchmark, read_benchmark, sample_benchmark
from xetrieval.data.chunks import CharacterRuler, Cutter
from xetrieval.encoders import CachedEncoder, Encoder, open_encoder, read_texts, ruler_of
from xetrieval.evaluate.retrieval import ndcg10_of_rankings

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
WAYS = ("whole", "1,000 characters", "chunks", "chunks, one sentence over", "chunks of 128")


def cutters(encoder: Encoder) -> dict[str, Cutter | None]:
    """The ways to cut."""
    return {
        "whole": None,
        "1,000 characters": Cutter(CharacterRuler(333)),
        "chunks": Cutter(ruler_of(encoder)),
        "chunks, one sentence over": Cutter(ruler_of(encoder), 1),
        "chunks of 128": Cutter(ruler_of(encoder, ChunkConfig(128))),
    }


def unread(encoder: Encoder, documents: Sequence[Document]) -> dict[str, Any]:
    """How much text is past the limit."""
    counts = encoder.token_counts([one.text for one in documents], "document")  # type: ignore[attr-defined]
    total = int(counts.unread.sum() + counts.tokens.sum())
    return {
        "texts": len(documents),
        "longer_than_read": int((counts.unread > 0).sum()),
        "unread_tokens": int(counts.unread.sum()),
        "unread_fraction": round(float(counts.unread.sum() / total), 4),
        "longest": int((counts.tokens + counts.unread).max()),
        "median": int(np.median(counts.tokens + counts.unread)),
    }


def seconds(encoder: Encoder, documents: Sequence[Document], some: int = 512) -> dict[str, float]:
    """Seconds for 10,000 documents: of cutting, and of encoding what was cut, on this machine as it is."""
    part = list(documents[:: max(1, len(documents) // some)])
    started = time.process_time()
    cut = list(Cutter(ruler_of(encoder)).cut(part))
    cutting = time.process_time() - started
    started = time.process_time()
    encoder.encode_document([one.text for one in cut])
    encoding = time.process_time() - started
    scale = 10_000 / len(part)
    return {
        "documents": len(part),
        "chunks": len(cut),
        "cutting_cpu_s_per_10000": round(cutting * scale, 1),
        "encoding_cpu_s_per_10000": round(encoding * scale, 1),
        "cutting_of_encoding": round(cutting / encoding, 4),
    }


def ranked(q: Any, z: Any, owner: Sequence[str], ids: Sequence[str]) -> Iterator[list[str]]:
    """The best ten documents of each query, by their best chunk; never the one with the query's id, as in BEIR."""
    for vector, own in zip(q, ids, strict=True):
        order = np.argsort(-(z @ vector), kind="stable")[:200]
        names = dict.fromkeys(owner[row] for row in order.tolist())
        names.pop(own, None)
        yield list(names)[:10]


def retrieval(encoder: Encoder, reader: Encoder, benchmark: Benchmark, ways: Sequence[str]) -> dict[str, Any]:
    """NDCG@10 of a benchmark in each way."""
    name = benchmark.name
    q = read_texts(reader, benchmark.queries, "query").vectors
    judged = [benchmark.judgments[query] for query in benchmark.query_ids]
    out: dict[str, Any] = {}
    for way, cutter in cutters(encoder).items():
        if way not in ways:
            continue
        documents = benchmark.documents if cutter is None else list(cutter.cut(benchmark.documents))
        z = read_texts(reader, [one.text for one in documents], "document").vectors
        owner = [one.id if one.chunk is None else one.chunk.parent for one in documents]
        scores = 100 * ndcg10_of_rankings(judged, list(ranked(q, z, owner, benchmark.query_ids)))
        out[way] = {**unread(encoder, documents), "ndcg10": round(float(scores.mean()), 2)}
        print(name, way, out[way], flush=True)
        out[way]["_scores"] = scores
    base = out["whole"]["_scores"]
    rng = np.random.default_rng(0)
    for record in out.values():
        difference = record.pop("_scores") - base
        means = [float(rng.choice(difference, len(difference)).mean()) for _ in range(2000)]
        low, high = np.percentile(means, (2.5, 97.5))
        record["delta"] = [round(float(difference.mean()), 2), round(float(low), 2), round(float(high), 2)]
    return out


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--ways", nargs="*", default=WAYS)
    parser.add_argument("--queries", type=int, help="of each set; default: all")
    parser.add_argument("--documents", type=int, help="of each set, the judged ones among them; default: all")
    parser.add_argument("--count-only", action="store_true", help="count tokens only")
    given = parser.parse_args()
    encoder = open_encoder("minilm")
    path = HERE / "chunks.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    pages = list(stream_source(DOCS, cut_files=False))
    ways = cutters(encoder).items()
    found["docs"] = {way: unread(encoder, pages if cut is None else list(cut.cut(pages))) for way, cut in ways}
    found["encoder"] = encoder.identity.name
    for name in given.sets if given.count_only else ():
        documents = list(stream_source(Path(os.environ["XETRIEVAL_DATA"]) / name))
        counted = {way: cutter for way, cutter in cutters(encoder).items() if way in given.ways}
        found[f"{name}, all"] = {
            way: unread(encoder, documents if cutter is None else list(cutter.cut(documents)))
            for way, cutter in counted.items()
        }
    for name in () if given.count_only else given.sets:
        whole = read_benchmark(Path(os.environ["XETRIEVAL_DATA"]) / name)
        part = sample_benchmark(whole, given.queries, given.documents, 0)
        found[name] = {"queries": len(part.queries), "documents": len(part.documents)}
        found[name] |= retrieval(encoder, CachedEncoder(encoder, given.cache), part, given.ways)
        documents = list(stream_source(Path(os.environ["XETRIEVAL_DATA"]) / name))
        found[name]["cost"] = seconds(encoder, documents)
        path.write_text(json.dumps(found, indent=1) + "\n")
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
