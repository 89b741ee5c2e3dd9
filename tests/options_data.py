"""An index, an explainer and files for tests that combine options."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from conftest import random_explainer, unit
from index_data import SMALL, WORDS, records, write_corpus

from xetrieval.index import Corpus, build_index, open_index
from xetrieval.steer import SteeringProfile

QUERY = " ".join(WORDS[:6])


class Home:
    """An index whose first three documents answer QUERY best, and all that options name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.explainer = folder, folder / "toy"
        random_explainer().save(self.explainer)
        texts = [f"{QUERY} {' '.join(WORDS[10 : 11 + n])}" for n in range(3)]
        sites = ("cs", "ai", "cs")
        best = [{"_id": f"best{n}", "text": texts[n], "metadata": {"site": sites[n]}} for n in range(3)]
        rows = best + records(40)
        build_index(Corpus((write_corpus(folder / "corpus.jsonl", rows),)), random_explainer(), folder / "index", SMALL)
        self.index = open_index(folder / "index")
        codes = self.index.codes(np.arange(3), "original").features.ravel().tolist()
        self.factors = {int(codes[0]): 1.5, int(codes[-1]): 0.5}
        self.profile = SteeringProfile(self.factors, self.index.explainer.sae.digest)
        self.profile.save(folder / "profile.json")
        np.save(folder / "query.npy", self.index.query_vector(f"{QUERY} {WORDS[40]}")[0])
        for name, seed in (("q.npy", 1), ("z.npy", 2)):
            np.save(folder / name, unit(2, seed=seed))
        (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": f"{QUERY} {WORDS[40]}"}) + "\n")
        pairs = [{"query": "red apple", "doc": "an apple is red. A pear is not."}] * 2
        lines = [json.dumps(pair) for pair in pairs]
        (folder / "pairs.jsonl").write_text("\n".join(lines) + "\n")
        (folder / "bad.jsonl").write_text("\n".join([*lines, "{"]) + "\n")
        self.long = " ".join(f"Sentence {n} has {WORDS[n % 100]} in it, and then {QUERY}." for n in range(40))
