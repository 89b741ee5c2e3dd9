"""The eight sets as small corpora inside one another: passages, sentences, titles and judged queries with vectors.

    XETRIEVAL_DATA=DIR python -m paper.studies.own_corpora --cache DIR [SET ...]     encode; run again to resume

A corpus of n passages is a benchmark of its own: some queries, passages judged for them, and random others up to n.
Each smaller one is drawn from the next larger, so that one encoding serves all. Judged queries never train anything.
"""

from __future__ import annotations

import argparse
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paper.kit.explained_beside import best_pairs
from paper.studies.minilm import UNSEEN, data
from xetrieval.arrays import Float32
from xetrieval.data import Document
from xetrieval.data.benchmark import Benchmark, read_benchmark, sample_benchmark
from xetrieval.data.sentences import is_prose, split_sentences
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate import BenchmarkVectors
from xetrieval.evaluate.pairs import Pairs

# The largest corpus of each set, in order of cost: passages longer than a few sentences take most of the time.
LARGEST: Final = {
    "english-dup": 865,
    "mutual": 3542,
    "cacm": 3204,
    "climate-fever-evidence": 5240,
    "vaswani": 6000,
    "scifact": 3000,
    "arguana": 3000,
    "stackexchange-qa": 3000,
}
SIZES: Final = (150, 300, 500, 1000, 2000, 3000)
QUERIES: Final = 400  # three best hits of each: 1,200 pairs
SENTENCES: Final = 4000
PER_PASSAGE: Final = 9  # sentences of a passage that lies in the corpus of 500; of others one

assert set(LARGEST) == {*UNSEEN, "stackexchange-qa"}


class Sentences(NamedTuple):
    """Sentences drawn from the passages of the largest corpus."""

    passages: NDArray[np.int64]  # rows of the largest corpus
    texts: list[str]


class Corpus(NamedTuple):
    """One corpus with its vectors and its pairs."""

    name: str
    benchmark: Benchmark
    documents: Float32  # [n, m]
    queries: Float32  # [q, m]
    sentences: Float32  # [s, m]; of these passages
    titles: Float32  # [t, m]
    pairs: Pairs
    sentence_texts: list[str]
    sentence_passages: NDArray[np.int64]  # [s], rows of `documents`


@lru_cache(maxsize=2)
def nested(name: str) -> dict[int, Benchmark]:
    """The corpora of a set by their size, each inside the next larger."""
    largest = LARGEST[name]
    current = sample_benchmark(read_benchmark(data() / name), QUERIES, largest)
    out = {len(current.documents): current}
    for size in sorted((s for s in SIZES if s < len(current.documents)), reverse=True):
        current = out[size] = _smaller(current, size)
    return out


def _smaller(benchmark: Benchmark, size: int) -> Benchmark:
    """Some of the queries, and `size` passages: up to half judged for these queries, the others drawn from the rest.

    Queries whose judged passages are all outside stay: they ask the corpus too.
    """
    rng = np.random.default_rng(size)
    rows = np.sort(rng.permutation(len(benchmark.queries))[: max(60, size * 2 // 5)])
    ids = [benchmark.query_ids[row] for row in rows]
    judgments = {identifier: benchmark.judgments[identifier] for identifier in ids}
    judged = set().union(*judgments.values())
    shuffled = [benchmark.documents[row] for row in rng.permutation(len(benchmark.documents))]
    first = [document for document in shuffled if document.id in judged][: size // 2]
    taken = {document.id for document in first}
    taken.update([document.id for document in shuffled if document.id not in taken][: size - len(first)])
    documents = [document for document in benchmark.documents if document.id in taken]
    return Benchmark(benchmark.name, documents, ids, [benchmark.queries[row] for row in rows], judgments)


def sentences_of(name: str) -> Sentences:
    """All sentences (at most nine) of the passages of the corpus of 500, and one of as many others as there is room."""
    corpora = nested(name)
    largest = corpora[max(corpora)]
    inner = {document.id for document in corpora[500].documents}
    rng = np.random.default_rng(0)
    rows: list[int] = []
    texts: list[str] = []
    order = sorted(range(len(largest.documents)), key=lambda row: largest.documents[row].id not in inner)
    for row in order:
        document = largest.documents[row]
        found = [one.text for one in split_sentences(document.body) if is_prose(one.text)]
        if len(found) < 2 and not title_of(document):
            continue  # the passage itself
        many = PER_PASSAGE if document.id in inner else 1
        for place in np.sort(rng.permutation(len(found))[:many]):
            rows.append(row)
            texts.append(found[place])
        if len(texts) >= SENTENCES:
            break
    return Sentences(np.array(rows, np.int64), texts)


def titles_of(documents: list[Document]) -> list[str]:
    """Titles of passages that have a body as well."""
    return [title_of(document) for document in documents if title_of(document) and document.body.strip()]


def title_of(document: Document) -> str:
    """Its title, "" where it has none."""
    return str(document.fields.get("title") or "").strip()


def encoder_in(cache: Path) -> CachedEncoder:
    """MiniLM with its vectors in `cache`; bfloat16 products, as in training the shipped dictionary."""
    return CachedEncoder(open_encoder("minilm", precision="bfloat16"), cache)


def encode(name: str, encoder: CachedEncoder) -> None:
    """Fill the cache with everything of a set."""
    corpora = nested(name)
    largest = corpora[max(corpora)]
    encoder.encode_query(largest.queries)
    encoder.encode_document(sentences_of(name).texts)
    encoder.encode_document(titles_of(largest.documents))
    small_first = [document.text for size in sorted(corpora) for document in corpora[size].documents]
    encoder.encode_document(list(dict.fromkeys(small_first)))


def open_corpora(name: str, cache: Path) -> dict[int, Corpus]:
    """The corpora of a set with their vectors."""
    corpora, encoder = nested(name), encoder_in(cache)
    sentences = sentences_of(name)
    largest = corpora[max(corpora)]
    sentence_vectors = encoder.encode_document(sentences.texts)
    return {
        size: _corpus(name, benchmark, largest, sentences, sentence_vectors, encoder)
        for size, benchmark in sorted(corpora.items())
    }


def _corpus(
    name: str,
    benchmark: Benchmark,
    largest: Benchmark,
    sentences: Sentences,
    sentence_vectors: Float32,
    encoder: CachedEncoder,
) -> Corpus:
    documents = encoder.encode_document([document.text for document in benchmark.documents])
    queries = encoder.encode_query(benchmark.queries)
    row_of = {document.id: row for row, document in enumerate(benchmark.documents)}
    inside = [
        (place, row_of[identifier])
        for place, row in enumerate(sentences.passages)
        if (identifier := largest.documents[row].id) in row_of
    ]
    titles = titles_of(benchmark.documents)
    kept = np.array([place for place, _ in inside], np.int64)
    return Corpus(
        name,
        benchmark,
        documents,
        queries,
        sentence_vectors[kept],
        encoder.encode_document(titles) if titles else documents[:0],
        best_pairs(benchmark, BenchmarkVectors(queries, documents)),
        [sentences.texts[place] for place in kept],
        np.array([row for _, row in inside], np.int64),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(LARGEST))
    parser.add_argument("--cache", type=Path, required=True)
    given = parser.parse_args()
    encoder = encoder_in(given.cache)
    for name in given.sets:
        encode(name, encoder)
        print(name, "encoded", flush=True)


if __name__ == "__main__":
    main()
