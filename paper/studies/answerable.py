"""Is a score good enough? Which signal of a hit's score tells that nothing in the corpus answers a query?

    XETRIEVAL_DATA=DIR python -m paper.studies.own_names index --cache DIR --work DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.answerable --cache DIR --work DIR -> results/answerable.json

Three kinds of queries of each set, with the best documents of the whole ranking:

answered   its judged queries
removed    the same queries; their relevant documents, and copies of these, are taken out
off topic  fifty queries of each of the other sets

signals    AUROC of answered against the others by what is known of the best hit, and of relevant against other hits
levels     how many queries of each kind have a best hit that is not above a fraction of the unrelated pairs
placed     how often real queries and random documents exceed the levels of unrelated pairs, which should be 1 - level
sizes      the levels again, for corpora of an eighth and a half of the documents
cut-offs   chosen for a precision on one half of the queries, measured on the other

Documents that nobody judged may answer a query, so "removed" is harder than it should be.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST
from paper.studies.own_names import opened
from xetrieval.arrays import Float32, Float64
from xetrieval.data.benchmark import Benchmark
from xetrieval.evaluate.cutoff import JudgedHits, at_score, choose
from xetrieval.index import Index
from xetrieval.index.search.unrelated import Unrelated, unrelated
from xetrieval.intervals import cluster_bootstrap, wilson

OUTPUT: Final = RESULTS / "answerable.json"
LEVELS: Final = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
WANTED: Final = (0.3, 0.5, 0.7, 0.9)
OTHERS: Final = 50  # queries of each other set
DEPTH: Final = 100
HITS: Final = 10
RESAMPLES: Final = 1000


class Set(NamedTuple):
    """One set with its vectors."""

    name: str
    z: Float32  # [n, m]
    q: Float32  # [q, m]
    relevant: list[NDArray[np.int64]]  # rows
    own: list[NDArray[np.int64]]  # rows of the document with a query's id, which is not ranked for it
    bias: Float32  # [m]
    pairs: Unrelated


class Best(NamedTuple):
    """The scores of a query's best documents, and its scores with all of them."""

    top: Float64  # [DEPTH], descending
    mean: float
    deviation: float
    bias: float


def read_set(name: str, cache: Path, work: Path) -> Set:
    benchmark, _, index = opened(name, cache, work)
    rows = _rows(index, benchmark)
    relevant = [
        np.array(sorted({row for one, grade in benchmark.judgments[query].items() if grade > 0 for row in rows(one)}))
        for query in benchmark.query_ids
    ]
    own = [np.array(rows(query), np.int64) for query in benchmark.query_ids]
    kept = [place for place, some in enumerate(relevant) if len(some)]
    pairs = unrelated(index)
    assert pairs is not None
    q = index.explainer.encoder.encode_query(benchmark.queries)
    z, bias = index.vectors(index.alive), index.explainer.sae.decoder_bias
    return Set(name, z, q[kept], [relevant[i] for i in kept], [own[i] for i in kept], bias, pairs)


def _rows(index: Index, benchmark: Benchmark) -> Any:
    """The rows of a document and of its copies."""
    same: dict[str, list[str]] = {}
    for document in benchmark.documents:
        same.setdefault(document.text, []).append(document.id)
    copies = {name: names for names in same.values() for name in names}
    return lambda name: [row for copy in copies.get(name, []) for row in index.rows_of(copy)]


def ranked(one: Set, q: Float32, without: Iterable[NDArray[np.int64]]) -> list[Best]:
    """The best documents of each query, without some rows."""
    out = []
    for scores, q_bias, rows in zip((q @ one.z.T).astype(np.float64), q @ one.bias, without, strict=True):
        mean, deviation = float(scores.mean()), float(scores.std())
        scores[rows] = -np.inf
        out.append(Best(np.sort(scores)[::-1][:DEPTH], mean, deviation, float(q_bias)))
    return out


def kinds(sets: Mapping[str, Set], name: str, part: int = 1) -> dict[str, list[Best]]:
    """The best documents of answered, removed and off-topic queries.

    Args:
        part: only this part of the documents are in the corpus, and those that are relevant to the query.
    """
    one = sets[name]
    outside = np.random.default_rng(2).permutation(len(one.z))[len(one.z) // part :]
    off = np.concatenate([other.q[:OTHERS] for other in sets.values() if other.name != name])
    return {
        "answered": ranked(
            one,
            one.q,
            (np.union1d(np.setdiff1d(outside, right), own) for own, right in zip(one.own, one.relevant, strict=True)),
        ),
        "removed": ranked(
            one, one.q, (np.concatenate([outside, *rows]) for rows in zip(one.own, one.relevant, strict=True))
        ),
        "off topic": ranked(one, off, (outside for _ in off)),
    }


def signals(one: Set, best: list[Best]) -> dict[str, Float64]:
    """What is known of the best hit."""
    return {
        "score": np.array([b.top[0] for b in best]),
        "unrelated pairs of the corpus": np.array([one.pairs.below(b.top[0]) for b in best]),
        "z among the query's own scores": np.array([(b.top[0] - b.mean) / b.deviation for b in best]),
        "score - bias": np.array([b.top[0] - b.bias for b in best]),
        "margin to the 2nd": np.array([b.top[0] - b.top[1] for b in best]),
        "margin to the mean of the 2nd to 10th": np.array([b.top[0] - b.top[1:HITS].mean() for b in best]),
        "margin to the mean of the 11th to 100th": np.array([b.top[0] - b.top[HITS:].mean() for b in best]),
        "mean of ten": np.array([b.top[:HITS].mean() for b in best]),
    }


def auroc(yes: Float64, no: Float64) -> float:
    ranks = rankdata(np.concatenate([yes, no]))
    return float((ranks[: len(yes)].sum() - len(yes) * (len(yes) + 1) / 2) / (len(yes) * len(no)))


def with_interval(yes: Float64, no: Float64, *, paired: bool) -> list[float]:
    """AUROC and its 95 % interval by a bootstrap over queries."""
    rng, values = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        drawn = rng.integers(len(yes), size=len(yes))
        values.append(auroc(yes[drawn], no[drawn if paired else rng.integers(len(no), size=len(no))]))
    low, high = np.quantile(values, [0.025, 0.975])
    return [round(value, 4) for value in (auroc(yes, no), float(low), float(high))]


def separated(one: Set, found: dict[str, list[Best]]) -> dict[str, Any]:
    by_kind = {kind: signals(one, best) for kind, best in found.items()}
    return {
        kind: {
            name: with_interval(values, by_kind[kind][name], paired=kind == "removed")
            for name, values in by_kind["answered"].items()
        }
        for kind in ("removed", "off topic")
    }


def flagged(places: Mapping[str, Float64]) -> dict[str, Any]:
    """Fractions of each kind whose best hit is not above a level, with intervals."""
    out: dict[str, Any] = {}
    for level in LEVELS:
        parts = {kind: float((values <= level).mean()) for kind, values in places.items()}
        out[str(level)] = {
            kind: [round(one, 4) for one in (part, *wilson(part, len(places[kind])))] for kind, part in parts.items()
        }
    return out


def placed_best(one: Set, found: dict[str, list[Best]]) -> dict[str, Float64]:
    """The place of each query's best hit among unrelated pairs."""
    return {kind: np.array([one.pairs.below(b.top[0]) for b in best]) for kind, best in found.items()}


def placed(one: Set) -> dict[str, float]:
    rows = np.sort(np.random.default_rng(1).permutation(len(one.z))[:2000])
    scores = one.q @ one.z[rows].T
    for query, (relevant, own) in enumerate(zip(one.relevant, one.own, strict=True)):
        scores[query, np.isin(rows, np.concatenate([relevant, own]))] = np.nan
    scores = scores[np.isfinite(scores)]
    return {str(level): round(float((scores > one.pairs.level(level)).mean()), 5) for level in (0.9, 0.99, 0.999)}


def judged(one: Set, found: dict[str, list[Best]]) -> tuple[JudgedHits, dict[str, Float64]]:
    """The best ten hits of each query, and what is known of each."""
    parts: list[Any] = []
    for query, (q, relevant, own, best) in enumerate(zip(one.q, one.relevant, one.own, found["answered"], strict=True)):
        scores = (one.z @ q).astype(np.float64)
        scores[own] = -np.inf
        rows = np.argsort(-scores, kind="stable")[: HITS + 1]
        for place, row in enumerate(rows[:HITS]):
            z = (scores[row] - best.mean) / best.deviation
            margin = scores[row] - scores[rows[place + 1]]
            parts.append((query, scores[row], row in relevant, z, margin, -place))
    query, score, right, z, margin, place = (np.array(column) for column in zip(*parts, strict=True))
    removed = np.array([best.top[0] for best in found["removed"]])
    known = {
        "score": score,
        "z among the query's own scores": z,
        "margin to the next": margin,
        "rank": place.astype(np.float64),
    }
    return JudgedHits(query, score, right.astype(bool), removed), known


def of_hits(hits: JudgedHits, known: dict[str, Float64]) -> dict[str, list[float]]:
    """AUROC of relevant against other hits; intervals resample queries."""
    out = {}
    for name, values in known.items():
        rng, drawn = np.random.default_rng(0), []
        rows = [np.flatnonzero(hits.query == query) for query in range(len(hits.unanswered))]
        for _ in range(200):
            some = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
            drawn.append(auroc(values[some][hits.relevant[some]], values[some][~hits.relevant[some]]))
        low, high = np.quantile(drawn, [0.025, 0.975])
        value = auroc(values[hits.relevant], values[~hits.relevant])
        out[name] = [round(float(one), 4) for one in (value, low, high)]
    return out


def half(hits: JudgedHits, queries: NDArray[np.int64]) -> JudgedHits:
    rows = np.isin(hits.query, queries)
    return JudgedHits(
        np.searchsorted(queries, hits.query[rows]), hits.score[rows], hits.relevant[rows], hits.unanswered[queries]
    )


def cut_offs(hits: JudgedHits) -> Iterator[dict[str, Any]]:
    """Each wanted precision: what the other half of the queries has at the chosen score."""
    order = np.random.default_rng(0).permutation(len(hits.unanswered))
    halves = [np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])]
    for wanted in WANTED:
        rights: list[Any] = []
        answered, without = [], []
        for learn, test in (halves, halves[::-1]):
            chosen, rest = choose(half(hits, learn), wanted), half(hits, test)
            if chosen.score is None:
                continue
            above = rest.score >= chosen.score
            rights += [(test[q], right) for q, right in zip(rest.query[above], rest.relevant[above], strict=True)]
            figures = at_score(rest, chosen.score, wanted) if above.any() else None
            answered.append(figures.answered if figures else 0.0)
            without.append(figures.answered_without if figures else float((rest.unanswered >= chosen.score).mean()))
        record: dict[str, Any] = {"wanted": wanted, "halves_with_a_cut_off": len(answered), "hits": len(rights)}
        if rights:
            query, right = (np.array(column) for column in zip(*rights, strict=True))
            record["precision"] = list(cluster_bootstrap(right.astype(np.float64), query, RESAMPLES, 0).rounded(4))
            record["answered"] = round(float(np.mean([one for one in answered if one is not None])), 4)
            record["answered_without"] = round(float(np.mean([one for one in without if one is not None])), 4)
        yield record


def measured(sets: Mapping[str, Set], name: str) -> dict[str, Any]:
    one, found = sets[name], kinds(sets, name)
    hits, known = judged(one, found)
    sizes = {str(len(one.z) // part): flagged(placed_best(one, kinds(sets, name, part))) for part in (8, 2)}
    return {
        "documents": len(one.z),
        "queries": len(one.q),
        "signals": separated(one, found),
        "signals of hits": of_hits(hits, known),
        "levels": flagged(placed_best(one, found)),
        "placed": placed(one),
        "sizes": sizes,
        "cut-offs": list(cut_offs(hits)),
    }


def together(sets: Mapping[str, Set]) -> dict[str, Any]:
    """All sets with one threshold: what a signal is worth where nobody has judged anything."""
    by_kind: dict[str, list[dict[str, Float64]]] = {}
    for name, one in sets.items():
        for kind, best in kinds(sets, name).items():
            by_kind.setdefault(kind, []).append(signals(one, best))
    joined = {
        kind: {name: np.concatenate([some[name] for some in parts]) for name in parts[0]}
        for kind, parts in by_kind.items()
    }
    own = "unrelated pairs of the corpus"
    return {
        "levels": flagged({kind: values[own] for kind, values in joined.items()}),
        **{
            kind: {name: round(auroc(values, joined[kind][name]), 4) for name, values in joined["answered"].items()}
            for kind in ("removed", "off topic")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    sets = {name: read_set(name, given.cache, given.work) for name in LARGEST}
    found = {name: measured(sets, name) for name in sets}
    lines = [f'"{name}": {json.dumps(record)}' for name, record in {"one threshold": together(sets), **found}.items()]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
