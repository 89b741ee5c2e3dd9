r"""Which dictionary does a corpus of its own need: F, k, rows, steps, variant, from 150 passages on?

    XETRIEVAL_DATA=DIR python -m paper.studies.own_corpora --cache DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.own_dictionary sweep|choices|rule|shipped|ships|verdicts --cache DIR \
        [--sets ...]
        -> results/own_dictionary.json; what is there already is not measured again

sweep    F and k at each size, learned from passages and sentences
choices  at the rule's F and k: other rows, steps, variants and k in use
rule     the rule itself at every size (before: topk, without a variant in the record)
shipped  the shipped dictionary on the same pairs
ships    topk beside batchtopk, each also with the views of the documents as rows, at 1,000 and at the largest size
verdicts the figures that a build measures without judged queries, of an own and of the shipped dictionary, at 1,000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

import xetrieval
from paper.kit.explained_beside import explained_beside
from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST, Corpus, open_corpora
from xetrieval.arrays import Float32
from xetrieval.configs.rule import BATCH, VARIANT, rule, sae_by_rule
from xetrieval.errors import TrainingWarning
from xetrieval.explain.explained import explained
from xetrieval.fitting.own import CorpusRows, measure_own, pair_figures
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import reconstruction
from xetrieval.sae.stack import Stack
from xetrieval.sae.train import SaeConfig, train_sae

OUTPUT: Final = RESULTS / "own_dictionary.json"
SWEPT_SIZES: Final = (150, 500, 1000, 3000)
SWEPT_FEATURES: Final = (64, 128, 256, 512, 1024, 2048)
SWEPT_K: Final = (4, 8, 12, 16)


def rows_of(corpus: Corpus, rows: str) -> Float32:
    """The vectors to learn from: documents, and what else `rows` names."""
    parts = [corpus.documents]
    parts += [corpus.sentences] if "sentences" in rows else []
    parts += [corpus.titles] if "titles" in rows else []
    parts += xetrieval.load("minilm").reasoned(corpus.documents)[1:] if "views" in rows else []
    return np.concatenate(parts)


def learn(
    corpus: Corpus, features: int, k: int, rows: str = "documents+sentences", steps: int = 600, **more: Any
) -> tuple[SparseAutoencoder, dict[str, Any]]:
    """A dictionary of the corpus, and how it was made."""
    x = rows_of(corpus, rows)
    batch = min(BATCH, len(x))
    epochs = max(1, round(steps * batch / len(x)))
    began = time.monotonic()
    sae = train_sae(x, SaeConfig(features=features, l0=k, epochs=epochs, batch_size=batch, **more))
    took = round(time.monotonic() - began, 2)
    made = {"features": features, "k": k, "rows": rows, "steps": steps, "epochs": epochs, "vectors": len(x), **more}
    return sae, made | {"seconds": took}


def measured(corpus: Corpus, sae: SparseAutoencoder) -> dict[str, Any]:
    """Figures of a dictionary on the pairs of a corpus."""
    q, z = corpus.queries[corpus.pairs.query], corpus.documents[corpus.pairs.document]
    found = explained_beside(sae, q, z, corpus.documents, corpus.pairs.relevant).to_dict()
    codes = sae.encode(corpus.documents)
    active = np.bincount(codes.features[codes.values > 0], minlength=sae.features)
    used = {
        "never_active": int((active == 0).sum()),
        "on_over_a_tenth": int((active > len(corpus.documents) / 10).sum()),
        "fvu_queries": round(float(reconstruction(sae, corpus.queries).fvu), 4),
    }
    return found | used


def swept(corpus: Corpus) -> Iterator[tuple[int, int]]:
    """F from a sixteenth of the number of vectors to half of it."""
    many = len(corpus.documents) + len(corpus.sentences)
    for features in SWEPT_FEATURES:
        if many / 16 <= features <= max(128, many / 2):
            for k in SWEPT_K:
                yield features, k


def choices(corpus: Corpus) -> Iterator[dict[str, Any]]:
    """Around the rule: other rows, steps, variants, and k in use."""
    base = rule(len(rows_of(corpus, "documents+sentences")))
    for rows in ("documents", "documents+sentences", "documents+titles", "documents+sentences+titles"):
        if "titles" not in rows or len(corpus.titles):
            yield {**rule(len(rows_of(corpus, rows))), "rows": rows}
    for steps in (75, 150, 300, 1200):
        yield {**base, "steps": steps}
    for variant in ("batchtopk", "matryoshka"):
        yield {**base, "variant": variant}
    yield {**base, "k": base["k"] // 2, "inference_k": base["k"]}
    yield {**base, "seed": 1}


def ships(corpus: Corpus) -> Iterator[dict[str, Any]]:
    """At the rule's F and k: the variant, and whether the views of the documents are rows."""
    base = rule(len(rows_of(corpus, "documents+sentences")))
    for rows in ("documents+sentences", "documents+sentences+views"):
        for variant in ("topk", "batchtopk"):
            yield {**base, "rows": rows, "variant": variant}


def verdicts(corpus: Corpus) -> dict[str, Any]:
    """Figures without judged queries (held-out sentences, and documents) beside those of the queries."""
    found: dict[str, Any] = {}
    stack = Stack([corpus.documents, corpus.sentences])
    rows = CorpusRows(stack, corpus.sentence_passages, None, str)
    own = train_sae(stack, sae_by_rule(len(rows.used)), rows=rows.used)
    alone = CorpusRows(Stack([corpus.documents]), corpus.sentence_passages[:0], None, str)
    for name, sae in (("own", own), ("shipped", xetrieval.load("minilm").sae)):
        q, z = corpus.queries[corpus.pairs.query], corpus.documents[corpus.pairs.document]
        found[name] = {
            "queries": pair_figures(sae, q, z, corpus.documents),
            "sentences": measure_own(sae, rows)["pairs"],
            "documents": measure_own(sae, alone)["pairs"],
        }
    return found


class Results:
    """Records by what they are of; written after each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        self.known = {self._key(record) for record in self.records}

    @staticmethod
    def _key(record: dict[str, Any]) -> str:
        return json.dumps({name: record[name] for name in ("step", "set", "size", "asked")}, sort_keys=True)

    def has(self, step: str, corpus: Corpus, asked: dict[str, Any]) -> bool:
        """Whether that has been measured."""
        return self._key({"step": step, **_of(corpus), "asked": asked}) in self.known

    def add(self, step: str, corpus: Corpus, asked: dict[str, Any], found: dict[str, Any]) -> None:
        """Keep a record."""
        record = {"step": step, **_of(corpus), "asked": asked, **found}
        self.records.append(record)
        self.known.add(self._key(record))
        lines = ",\n".join(json.dumps(one) for one in self.records)
        self.path.write_text(f"[\n{lines}\n]\n")


def _of(corpus: Corpus) -> dict[str, Any]:
    return {"set": corpus.name, "size": len(corpus.documents)}


def run(step: str, corpus: Corpus, results: Results, asked: dict[str, Any]) -> None:
    """Learn, measure, keep; nothing where that was done before."""
    if results.has(step, corpus, asked):
        return
    try:
        sae, made = learn(corpus, **asked)
    except (xetrieval.errors.XetrievalError, TrainingWarning) as error:
        results.add(step, corpus, asked, {"error": str(error)})
        return
    results.add(step, corpus, asked, {"made": made, **measured(corpus, sae)})


def with_controls(
    sae: SparseAutoencoder, q: Float32, z: Float32, controls: Iterable[SparseAutoencoder], name: str = "untrained"
) -> dict[str, Any]:
    """The figures of a dictionary, and what its controls explain on average."""
    found = explained(sae, q, z)
    chance = float(np.mean([explained(one, q, z).explained for one in controls]))
    figures = {
        "explained": found.explained,
        "remainder": found.remainder,
        "features": found.features,
        "nothing_shared": found.nothing_shared,
        name: chance,
        "margin": found.explained - chance,
    }
    return {"pairs": found.pairs, **{key: round(value, 4) for key, value in figures.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("sweep", "choices", "rule", "shipped", "ships", "verdicts"))
    parser.add_argument("--sets", nargs="*", default=list(LARGEST))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    results = Results(given.output)
    for name in given.sets:
        for size, corpus in open_corpora(name, given.cache).items():
            if given.step == "sweep" and (size in SWEPT_SIZES or size == 865):
                for features, k in swept(corpus):
                    run("sweep", corpus, results, {"features": features, "k": k})
            elif given.step == "choices" and size in (500, 1000):
                for asked in choices(corpus):
                    run("choices", corpus, results, asked)
            elif given.step == "ships" and (size == 1000 or size == LARGEST[name]):
                for asked in ships(corpus):
                    run("ships", corpus, results, asked)
            elif given.step == "verdicts" and size in (150, 1000) and not results.has("verdicts", corpus, {}):
                results.add("verdicts", corpus, {}, verdicts(corpus))
            elif given.step == "rule":
                asked = rule(len(corpus.documents) + len(corpus.sentences))
                run("rule", corpus, results, {**asked, "variant": VARIANT})
            elif given.step == "shipped" and size == LARGEST[name] and not results.has("shipped", corpus, {}):
                results.add("shipped", corpus, {}, measured(corpus, xetrieval.load("minilm").sae))
        print(name, flush=True)


if __name__ == "__main__":
    main()
