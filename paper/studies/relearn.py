r"""What happens to features when a dictionary is learned again, when documents are added, and when there are few.

    XETRIEVAL_DATA=DIR python -m paper.studies.relearn again|drift|context --cache DIR [--sets ...]
        -> results/relearn.json; what is there already is not measured again

again    the features of nine tenths of a corpus (or half of it, or all with another seed) learned again over all of it
drift    documents below the limit of `index/ask/drift.py`: further ones of the same set, and of other sets
context  a dictionary of the 20, 50 or 150 best hits of a query (or of as many random documents) for one pair
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import xetrieval
from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import Corpus, open_corpora
from xetrieval.arrays import Float32, l2norm
from xetrieval.configs.rule import sae_by_rule
from xetrieval.explain.explained import PairParts, explained, pair_parts
from xetrieval.explain.foreign import random_cosine
from xetrieval.explain.untrained import SEEDS, untrained
from xetrieval.fitting.carry import SLOWER, carry_over, most_used
from xetrieval.fitting.own import CorpusRows
from xetrieval.index.ask.drift import HALF
from xetrieval.labels.transfer import match_features
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import reconstruction
from xetrieval.sae.stack import Stack
from xetrieval.sae.train import train_sae

OUTPUT: Final = RESULTS / "relearn.json"
SETS: Final = ("english-dup", "scifact", "cacm", "vaswani", "mutual")
BOUNDS: Final = ((0.7, 0.3), (0.8, 0.5), (0.9, 0.5))
QUERIES: Final = 40


def learn(
    x: Float32, seed: int = 0, start: SparseAutoencoder | None = None, slower: float = SLOWER
) -> SparseAutoencoder:
    """By the rule; from earlier features where they are given."""
    config = sae_by_rule(len(x), seed=seed)
    if start is None:
        return train_sae(x, config)
    some = most_used(start, Stack([x]), config.features)
    return train_sae(x, replace(config, learning_rate=config.rate / slower), start=some)


def figures(sae: SparseAutoencoder, corpus: Corpus) -> dict[str, float]:
    """On the pairs of judged queries."""
    q, z = corpus.queries[corpus.pairs.query], corpus.documents[corpus.pairs.document]
    found = explained(sae, q, z)
    return {name: round(getattr(found, name), 4) for name in ("explained", "remainder", "features")}


def again(corpus: Corpus) -> Iterator[dict[str, Any]]:
    """How many features are found again, beside those of a new training."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(corpus.documents))

    def rows(chosen: NDArray[np.int64]) -> Float32:
        here = np.isin(np.arange(len(corpus.documents)), chosen)
        return np.concatenate([corpus.documents[here], corpus.sentences[here[corpus.sentence_passages]]])

    whole = rows(order)
    for name, part, seed in (("nine tenths", 0.9, 0), ("half", 0.5, 0), ("all, another seed", 1.0, 1)):
        old = learn(rows(order[: round(part * len(order))]))
        used = int((_active(old, whole) > 0).sum())
        for how, made in (("again", learn(whole, seed, old)), ("new", learn(whole, seed))):
            within = {
                f"{cosine}/{overlap}": round(
                    len(match_features(old, made, [whole], cosine, overlap).accepted) / used, 4
                )
                for cosine, overlap in BOUNDS
            }
            record = {"of": name, "how": how, "active": used, "F": made.features, "found_again": within}
            if how == "again":
                carried = carry_over(old, made, Stack([whole]))
                record |= {"kept": len(carried.kept), "new": len(carried.new), "rows": carried.sae.features}
                record["merged"] = figures(carried.sae, corpus)
            yield {**record, "old": figures(old, corpus), "made": figures(made, corpus)}


def _active(sae: SparseAutoencoder, x: Float32) -> NDArray[np.int64]:
    codes = sae.encode(x)
    return np.bincount(codes.features[codes.values > 0], minlength=sae.features)


def drift(corpus: Corpus, further: Float32, others: dict[str, Float32]) -> dict[str, Any]:
    """The fraction of documents below the limit."""
    stack = Stack([corpus.documents, corpus.sentences])
    rows = CorpusRows(stack, corpus.sentence_passages, None, str)
    sae = train_sae(stack, sae_by_rule(len(rows.used)), rows=rows.used)
    held = reconstruction(sae, stack.take(rows.held_out)).cosine
    limit = random_cosine(sae) + HALF * (held - random_cosine(sae))

    def below(x: Float32) -> float:
        made = l2norm(sae.decode(sae.encode(x)))
        return round(float((np.einsum("nm,nm->n", made, x) < limit).mean()), 4)

    return {
        "limit": round(limit, 4),
        "held_out": round(held, 4),
        "same_set": below(further),
        "others": {name: below(x) for name, x in others.items()},
    }


def context(corpus: Corpus, count: int, chosen: str) -> dict[str, Any]:
    """Pairs of a query and its best hit, each with a dictionary of its own; the hit itself is left out."""
    shipped = xetrieval.load("minilm").sae
    own: list[PairParts] = []
    control: list[PairParts] = []
    plain: list[PairParts] = []
    began = time.monotonic()
    queries = range(0, len(corpus.queries), max(1, len(corpus.queries) // QUERIES))
    for row in queries:
        order = np.argsort(-(corpus.documents @ corpus.queries[row]), kind="stable")
        others = order[1:]
        some = others[:count] if chosen == "hits" else np.random.default_rng(row).permutation(others)[:count]
        x = np.concatenate([corpus.documents[some], corpus.sentences[np.isin(corpus.sentence_passages, some)]])
        sae = train_sae(x, sae_by_rule(len(x)))
        q, z = corpus.queries[row : row + 1], corpus.documents[order[:1]]
        own.append(pair_parts(sae, q, z))
        plain.append(pair_parts(shipped, q, z))
        control += [pair_parts(one, q, z) for one in untrained(sae, x, seeds=range(SEEDS))]
    seconds = round((time.monotonic() - began) / len(queries), 2)
    return {"own": _sums(own), "untrained": _sums(control), "shipped": _sums(plain), "seconds": seconds}


def _sums(parts: list[PairParts]) -> dict[str, float]:
    score, bias, shares = (
        sum(float(getattr(one, name).sum()) for one in parts) for name in ("score", "bias", "shares")
    )
    rest = sum(float(np.abs(one.remainder).sum()) for one in parts)
    whole = sum(float(np.abs(one.score - one.bias).sum()) for one in parts)
    found = {"explained": shares / (score - bias), "remainder": rest / whole, "bias": bias / score}
    return {name: round(value, 4) for name, value in found.items()}


def measured(step: str, name: str, cache: Path) -> Iterator[dict[str, Any]]:
    """The records of one step on one set."""
    corpora = open_corpora(name, cache)
    largest = corpora[max(corpora)]
    if step == "again":
        corpus = corpora[min(3000, max(size for size in corpora if size <= 3000))]
        yield from ({"size": len(corpus.documents), **one} for one in again(corpus))
    elif step == "drift":
        others = {other: _largest(other, cache).documents for other in SETS if other != name}
        for size in (150, 1000 if 1000 in corpora else 500):
            known = {document.id for document in corpora[size].benchmark.documents}
            further = np.array([document.id not in known for document in largest.benchmark.documents])
            yield {"size": size, **drift(corpora[size], largest.documents[further], others)}
    else:
        for count in (20, 50, 150):
            for chosen in ("hits", "random"):
                yield {"size": len(largest.documents), "count": count, "of": chosen, **context(largest, count, chosen)}


def _largest(name: str, cache: Path) -> Corpus:
    corpora = open_corpora(name, cache)
    return corpora[max(corpora)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("again", "drift", "context"))
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    records: list[dict[str, Any]] = json.loads(given.output.read_text()) if given.output.exists() else []
    for name in given.sets:
        if any((one["step"], one["set"]) == (given.step, name) for one in records):
            continue
        records += [{"step": given.step, "set": name, **one} for one in measured(given.step, name, given.cache)]
        given.output.write_text("[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n")
        print(given.step, name, flush=True)


if __name__ == "__main__":
    main()
