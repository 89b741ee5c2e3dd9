"""An explainer for all-mpnet-base-v2 (768 dimensions), checked on three sets -> results/mpnet_check.json

The model reads about 3 texts per second and core, so the explainer is fitted on posts that have teacher texts, the
beginnings of --posts others, and --sentences single sentences: far less than minilm. Rerun it to resume.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console

import xetrieval
from paper.kit.results import as_json
from paper.kit.training import explaining_sae
from paper.studies.minilm import RESULTS, TRAINED_ON, data, teachers
from paper.studies.retrieval_views import opening
from xetrieval.data import Document, read_corpora
from xetrieval.data.benchmark import read_benchmark, sample_benchmark
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import InterventionConfig, benchmark_vectors, intervention
from xetrieval.fitting.texts import training_texts
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.train import train_sae
from xetrieval.teachers import read_teacher

SETS = (("english-dup", None, None), ("mutual", 500, 2000), ("arguana", 400, 1200))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="folder of all-mpnet-base-v2")
    parser.add_argument("--posts", type=int, default=5000)
    parser.add_argument("--sentences", type=int, default=6144)
    parser.add_argument("--output", type=Path, default=Path("mpnet"))
    parser.add_argument(
        "--raw", type=Path, default=Path("mpnet-raw"), help="an autoencoder of the texts' vectors alone"
    )
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    given = parser.parse_args()
    precision = given.precision
    posts = read_corpora([data() / "stackexchange"])
    taught = {pair.source for pair in read_teacher(teachers()[0], posts)}
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        corpus.write_text("".join(lines(posts, taught, given.posts, given.sentences)), encoding="utf-8")
        explainer = xetrieval.fit(
            [corpus],
            open_encoder(given.model, precision=precision),
            teachers()[:2],
            given.output,
            xetrieval.FitConfig(sentences_per_document=0, sae=explaining_sae(1024, 16, 12, 24), name="mpnet"),
            progress=lambda stage, done, total, note: Console().print(stage, done, total, note),
        )
        encoder = CachedEncoder(open_encoder(given.model, precision=precision))
        raw = train_raw([document.text for document in read_corpora([corpus])], encoder, given.raw)
    records = []
    for name, queries, size in SETS:
        benchmark = sample_benchmark(read_benchmark(data() / name), queries, size)
        vectors = benchmark_vectors(benchmark, encoder)
        record = asdict(intervention(explainer, benchmark, vectors, InterventionConfig(), raw))
        records.append({"encoder": "all-mpnet-base-v2", "documents": len(benchmark.documents), **record})
        Console(width=150).print(name, {k: v for k, v in record["sets"]["xetrieval"].items() if isinstance(v, float)})
    figures = {"figures": dict(explainer.metrics), "made_from": dict(explainer.provenance)}
    (RESULTS / "mpnet_check.json").write_text(as_json([figures, *records]))


def train_raw(texts: list[str], encoder: CachedEncoder, output: Path) -> SparseAutoencoder:
    """On as many training rows as the explainer's, which come from four views of the same texts."""
    if not output.exists():
        trained = train_sae(encoder.encode_document(texts), explaining_sae(1024, 16, 48, 24))
        trained.save(output, {"rows": len(texts), "views": False}, {})
    return SparseAutoencoder.load(output)


def lines(posts: list[Document], taught: set[str], count: int, sentences: int) -> list[str]:
    """The corpus: posts with teacher texts whole, the beginnings of others, and short sentences of all."""
    order = posts[:]
    random.Random(0).shuffle(order)
    chosen = [post for post in posts if post.text in taught]
    chosen += [post._replace(text=opening(post.text)) for post in order[:count] if post.text not in taught]
    everything = training_texts(read_corpora(data() / name for name in TRAINED_ON), 9)
    of_documents = everything.texts[everything.documents :]
    order_of_sentences = np.random.default_rng(99).permutation(len(of_documents)).tolist()
    rows = [row for row in order_of_sentences if len(of_documents[row]) < 220]
    texts = {post.text: post.id for post in chosen}
    for row in rows[:sentences]:
        texts.setdefault(of_documents[row], everything.ids[everything.documents + row])
    return [json.dumps({"_id": identifier, "text": text}) + "\n" for text, identifier in texts.items()]


if __name__ == "__main__":
    main()
