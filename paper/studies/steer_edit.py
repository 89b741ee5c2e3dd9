"""Does leaving out one sentence put a wrong hit below a relevant one? -> results/steer_edit.json

    python -m paper.studies.steer_edit --work DIR [DATASET ...]

FlipRate: of wrong hits that rank above a relevant document, the fraction that fall below it when one sentence is left
out and the text is encoded again. Wrong hits are in the top 10, judged not relevant or not judged; the relevant
document is the next one below, in the top 50; both have a text, and the hit has two sentences or more. One hit for each
query, up to 30 per set, drawn at random.

Arms, each with one sentence left out: `edit`, the one that lowers the score most of all those that `steer edit` encodes
(so it is the best of them by construction); `explained`, the one that the explanation's shares point to,
chosen without encoding anything; and the controls: one at random (the mean over all), the longest, the
first. `ranks` is the median number of ranks that the hit falls.

DIR has an index per dataset, as for steer_push.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, data
from xetrieval.data.benchmark import Benchmark, read_benchmark
from xetrieval.index import Index, open_index
from xetrieval.index.ask.edit import LeftOut, TextEdits, text_edits
from xetrieval.index.ask.why import all_scores

SETS = ("cacm", "vaswani", "scifact", "stackexchange-qa", "climate-fever-evidence", "english-dup")
ARMS = ("edit", "explained", "random", "longest", "first")
BELOW = 50  # ranks in which the relevant document is looked for
TOP = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=SETS)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--hits", type=int, default=30)
    given = parser.parse_args()
    sets: dict[str, dict[str, Any]] = {}
    for name in given.datasets:
        benchmark, index = read_benchmark(data() / name), open_index(given.work / name)
        found: list[dict[str, Any]] = []
        for number, row, relevant in drawn(index, benchmark):
            made = measured(index, benchmark.queries[number], row, relevant)
            found += [] if made is None else [made]
            if len(found) == given.hits:
                break
        sets[name] = summary(found)
        Console().print(name, sets[name])
        (RESULTS / "steer_edit.json").write_text(as_json({"all": pooled(sets), "sets": sets}))


def drawn(index: Index, benchmark: Benchmark) -> Iterator[tuple[int, int, int]]:
    """Query, row of a wrong hit and row of the relevant document below it, in random order of the queries."""
    rng = np.random.default_rng(11)
    for number in rng.permutation(len(benchmark.queries)).tolist():
        q, name = index.query_vector(benchmark.queries[number])[0], benchmark.query_ids[number]
        scores = all_scores(index, q)
        own = index.find(name)
        if own is not None:  # as in BEIR, a document with the query's id is not ranked for it
            scores[own] = -np.inf
        grades = {index.find(document): grade for document, grade in benchmark.judgments[name].items()}
        relevant = {row for row, grade in grades.items() if row is not None and grade > 0}
        order = np.argsort(-scores, kind="stable")[:BELOW].tolist()
        pairs = []
        for place, row in enumerate(order[:TOP]):
            below = next((other for other in order[place + 1 :] if other in relevant), None)
            if row not in relevant and below is not None and scores[row] > scores[below]:
                pairs.append((row, below))
        if pairs:
            yield number, *pairs[int(rng.integers(len(pairs)))]


def measured(index: Index, query: str, row: int, relevant: int) -> dict[str, Any] | None:
    """Whether each arm flips the two, and how far it moves the hit; None for a hit of one sentence."""
    name = index.document(row).id
    limit = float(all_scores(index, index.query_vector(query)[0])[relevant])
    made = text_edits(index, query, name)
    if len(made.sentences) < 2:
        return None
    in_text = sorted(made.sentences, key=lambda one: one.start)
    chosen = {
        "edit": [made.sentences[0]],
        "explained": [explained(index, query, name, made)],
        "random": in_text,
        "longest": [max(in_text, key=lambda one: one.end - one.start)],
        "first": in_text[:1],
    }
    return {
        "rank": made.rank,
        "sentences": len(in_text),
        "flips": {arm: round(float(np.mean([one.score_after < limit for one in of])), 4) for arm, of in chosen.items()},
        "moves": {
            arm: round(float(np.mean([one.rank_after - made.rank for one in of])), 1) for arm, of in chosen.items()
        },
        "same as edit": float(chosen["explained"] == chosen["edit"]),
    }


def explained(index: Index, query: str, name: str, made: TextEdits) -> LeftOut:
    """The sentence without which the features carry least, if the rest of the text keeps its parts of their shares.

    Without a sentence that carries the part c of the sum T of all shares and has the fraction f of the characters, a
    mean over tokens leaves (T - c) / (1 - f).
    """
    terms = index.why(query, name, evidence=1000).explanation.terms
    carried: dict[int, float] = {}
    for term in terms:
        for sentence in () if term.evidence is None else term.evidence.document.sentences:
            carried[sentence.start] = carried.get(sentence.start, 0.0) + sentence.share
    whole, length = sum(carried.values()), sum(one.end - one.start for one in made.sentences)

    def left(one: LeftOut) -> float:
        return (whole - carried.get(one.start, 0.0)) / max(1e-9, 1 - (one.end - one.start) / length)

    return min(made.sentences, key=lambda one: (left(one), one.start))


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """FlipRate of each arm with its 95 % interval (bootstrap over hits), and the median move."""
    if not records:
        return {"hits": 0}
    rng = np.random.default_rng(0)
    out: dict[str, Any] = {
        "hits": len(records),
        "sentences": round(float(np.mean([record["sentences"] for record in records])), 1),
        "explained is the same as edit": round(float(np.mean([record["same as edit"] for record in records])), 3),
    }
    for arm in ARMS:
        flips = np.array([record["flips"][arm] for record in records])
        means = flips[rng.integers(len(flips), size=(2000, len(flips)))].mean(axis=1)
        out[arm] = {
            "FlipRate": round(float(flips.mean()), 3),
            "interval": [round(float(end), 3) for end in np.quantile(means, (0.025, 0.975))],
            "ranks": round(float(np.median([record["moves"][arm] for record in records])), 1),
        }
    return out


def pooled(sets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """FlipRate of each arm over the hits of all sets."""
    some = [one for one in sets.values() if one["hits"]]
    hits = [one["hits"] for one in some]
    return {
        "hits": sum(hits),
        **{arm: round(float(np.average([s[arm]["FlipRate"] for s in some], weights=hits)), 3) for arm in ARMS if some},
    }


if __name__ == "__main__":
    main()
