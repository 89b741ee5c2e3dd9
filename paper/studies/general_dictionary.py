"""How far does one dictionary of many domains go, for texts of a corpus that nothing was learned from?

    XETRIEVAL_DATA=DIR python -m paper.studies.general_dictionary encode|learn|measure --work DIR [--cache DIR]
        -> results/general_dictionary.json

encode   passages of the commons collection, the domains whose licence allows a shipped model, at most 2,500 of each;
         run again to resume
learn    dictionaries of all but ten whole domains, measured on pairs of neighbours in these ten
measure  the same dictionaries and the shipped one on the judged pairs of the eight sets, whose vectors are in `--cache`
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

import numpy as np

import xetrieval
from paper.studies.minilm import RESULTS, data
from paper.studies.own_corpora import LARGEST, open_corpora
from xetrieval.arrays import Float32
from xetrieval.explain.explained import explained
from xetrieval.explain.untrained import untrained
from xetrieval.fitting.own import nearest_others
from xetrieval.sae import SparseAutoencoder, read_sae, write_sae
from xetrieval.sae.stack import Stack
from xetrieval.sae.train import SaeConfig, train_sae

OUTPUT: Final = RESULTS / "general_dictionary.json"
BLOCK: Final = 1024
MOST: Final = 2500  # passages of a domain
UNCLEAR: Final = frozenset(  # SOURCES.md: non-commercial, or no licence stated
    """news-world news-sports news-business news-technology court-cases energy-oil-speeches everyday-life-stories
    parliament-debates recipes shop-product-titles shop-product-descriptions job-adverts quotations-humour
    religion-quran religion-hindu-scripture""".split()  # noqa: SIM905
)
HELD: Final = """films music-descriptions banking-support docs-database textbook-biology statutes legal-terms-privacy
    home-diy-howto household-management arxiv-abstracts""".split()  # noqa: SIM905  # nothing is learned from them
SETTINGS: Final = ((2048, 12, 1200), (4096, 12, 2000))  # features, k, steps of 256 vectors
QUERIES: Final = 150  # passages of a held-out domain, each with its three nearest others
PAIRS: Final = 600  # of a set
SEEDS: Final = 2  # untrained dictionaries, directions drawn from the covariance of the set


def passages() -> list[tuple[str, str]]:
    """(domain, text), so that any first part has about as many of each domain."""
    by_domain: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with gzip.open(data() / "commons" / "corpus.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            text = f"{row['title']}. {row['text']}" if row["title"] else row["text"]
            by_domain[row["metadata"]["domain"]].append((sha1(row["_id"].encode()).hexdigest(), text))
    ranked = [
        (rank, domain, text)
        for domain, rows in by_domain.items()
        if domain not in UNCLEAR
        for rank, (_, text) in enumerate(sorted(rows)[:MOST])
    ]
    return [(domain, text) for _, domain, text in sorted(ranked, key=lambda row: row[:2])]


def encode(work: Path) -> None:
    """A file of vectors for each block of passages."""
    texts, encoder = [text for _, text in passages()], xetrieval.open_encoder("minilm")
    for start in range(0, len(texts), BLOCK):
        path = work / f"{start // BLOCK:04d}.npy"
        if not path.exists():
            unfinished = path.with_suffix(".part.npy")
            np.save(unfinished, encoder.encode_document(texts[start : start + BLOCK]))
            os.replace(unfinished, path)


def encoded(work: Path) -> tuple[np.ndarray[Any, Any], Float32]:
    """Domains and vectors of the passages that have been encoded."""
    vectors = np.concatenate([np.load(path) for path in sorted(work.glob("????.npy"))])
    return np.array([domain for domain, _ in passages()[: len(vectors)]]), vectors


def figures(sae: SparseAutoencoder, q: Float32, z: Float32, corpus: Float32) -> dict[str, float]:
    """What a dictionary explains of pairs, and what untrained ones do."""
    found = explained(sae, q, z)
    chance = np.mean([explained(one, q, z).explained for one in untrained(sae, corpus, seeds=range(SEEDS))])
    numbers = {"explained": found.explained, "remainder": found.remainder, "features": found.features}
    return {name: round(float(value), 4) for name, value in (numbers | {"untrained": float(chance)}).items()}


def learn(work: Path) -> dict[str, Any]:
    """Dictionaries of all domains but the held-out ones, and their figures on those."""
    domains, vectors = encoded(work)
    x = np.ascontiguousarray(vectors[~np.isin(domains, HELD)])
    out = {}
    for features, k, steps in SETTINGS:
        epochs = max(1, round(steps * 256 / len(x)))
        config = SaeConfig(features=features, l0=k, variant="batchtopk", batch_size=256, epochs=epochs)
        path = work / f"{features}-{k}.safetensors"
        if not path.is_file():
            write_sae(train_sae(x, config), path)
        sae = read_sae(path)
        by_domain = {}
        for domain in HELD:
            own = vectors[domains == domain]
            drawn = np.random.default_rng(0).permutation(len(own))[:QUERIES]
            query, row = nearest_others(own[drawn], drawn, Stack([own], [domain]), np.arange(len(own)))
            by_domain[domain] = figures(sae, own[drawn][query], own[row], own)
        out[f"{features} features, k {k}"] = {"learned_from": len(x), "held_out": by_domain, "mean": mean(by_domain)}
    return out


def measure(work: Path, cache: Path) -> dict[str, Any]:
    """Every dictionary on the judged pairs of the eight sets."""
    arms: dict[str, Callable[[], SparseAutoencoder]] = {"shipped": lambda: xetrieval.load("minilm").sae}
    for features, k, _ in SETTINGS:
        path = work / f"{features}-{k}.safetensors"
        arms[f"{features} features, k {k}"] = lambda path=path: read_sae(path)  # type: ignore[misc]
    saes, out = {name: make() for name, make in arms.items()}, {name: {} for name in arms}
    for name in LARGEST:
        corpus = max(open_corpora(name, cache).items())[1]
        some = np.random.default_rng(0).permutation(len(corpus.pairs.query))[:PAIRS]
        q, z = corpus.queries[corpus.pairs.query[some]], corpus.documents[corpus.pairs.document[some]]
        for arm, sae in saes.items():
            out[arm][name] = figures(sae, q, z, corpus.documents[:2000])
    return {arm: {**sets, "mean": mean(sets)} for arm, sets in out.items()}


def mean(sets: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean of each figure."""
    names = next(iter(sets.values()))
    return {name: round(float(np.mean([one[name] for one in sets.values()])), 4) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("encode", "learn", "measure"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.step == "encode":
        encode(given.work)
        return
    found = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    if given.step == "learn":
        found["held-out domains"] = learn(given.work)
    else:
        if given.cache is None:
            parser.error("measure needs --cache")
        found["eight sets"] = measure(given.work, given.cache)
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
