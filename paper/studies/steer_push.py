"""Do `steer down` and `steer up` move documents as they should? -> results/steer_push.json, steer_push.png

    python -m paper.studies.steer_push --work DIR [DATASET ...]

DIR has an index per dataset (`xetrieval index build` on its corpus, with features of its own) in a folder of that name.
Down: hits of the top 10 that are judged not relevant or that are above a relevant one. Up: relevant documents of ranks
11 to 50. One for each query, up to 25 per set and direction. Queries on which the constants of `push` were chosen
(results/steer_push_chosen_on.json) are left out. The 20 other queries are of the same benchmark; harm is measured again
on up to 100 further queries that had no part in the proposal.

Arms of each hit: the first proposal; the first one for all queries; the first one if relevant hits of the top 10 are
marked good; the first proposal with vectors brought back to length 1; its factors on as many other features that are
active in the document, drawn at random (control); and the largest share of the explanation times 0, of either kind.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from paper.kit.figures import draw_push
from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, data
from paper.studies.steer_query import SETS
from xetrieval.arrays import Float32
from xetrieval.data.benchmark import Benchmark, read_benchmark
from xetrieval.index import Index, open_index
from xetrieval.index.ask.others import DEPTH, OtherQueries, harm_of, top_rows, with_profiles
from xetrieval.index.ask.push import FAR, TOP, Direction, Proposal, push
from xetrieval.index.ask.why import all_scores, rank_in
from xetrieval.index.search.mode import SearchOptions
from xetrieval.index.search.ranking import prepare, rank
from xetrieval.steer import Removal, SteeringProfile

LIMITS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)


class Task(NamedTuple):
    """One query with its vector, the document to move, and the rows of relevant documents."""

    q: Float32
    row: int
    relevant: frozenset[int]
    number: int  # of the query


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=SETS)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--hits", type=int, default=25)
    given = parser.parse_args()
    chosen_on = json.loads((RESULTS / "steer_push_chosen_on.json").read_text())
    records: list[dict[str, Any]] = []
    for name in given.datasets:
        benchmark, index = read_benchmark(data() / name), open_index(given.work / name)
        q = np.stack([index.query_vector(text)[0] for text in benchmark.queries])
        for direction in ("down", "up"):
            tasks = list(drawn(index, benchmark, q, direction, set(chosen_on.get(name, ()))))[: given.hits]
            records += [{"dataset": name, **measured(index, q, task, direction)} for task in tasks]
        Console().print(name, summary([record for record in records if record["dataset"] == name]))
    out = {"all": summary(records), "sets": {}, "curve": curve(records)}
    for name in given.datasets:
        out["sets"][name] = summary([record for record in records if record["dataset"] == name])
    out["hits"] = records
    Console().print(out["all"])
    (RESULTS / "steer_push.json").write_text(as_json(out))
    draw_push(out["curve"], RESULTS / "steer_push.png")


def drawn(index: Index, benchmark: Benchmark, q: Float32, direction: Direction, without: set[str]) -> Iterator[Task]:
    """One document to move for each query that has one, in random order."""
    rng = np.random.default_rng(7)
    for number in rng.permutation(len(q)).tolist():
        name, scores = benchmark.query_ids[number], all_scores(index, q[number])
        if name in without:
            continue
        own = index.find(name)
        if own is not None:  # as in BEIR, a document with the query's id is not ranked for it
            scores[own] = -np.inf
        judged = {index.find(document): grade for document, grade in benchmark.judgments[name].items()}
        relevant = frozenset(row for row, grade in judged.items() if row is not None and grade > 0)
        order = np.argsort(-scores, kind="stable")[:50].tolist()
        if direction == "up":
            rows = [row for row in order[TOP:] if row in relevant]
        else:
            last = max((place for place, row in enumerate(order[:TOP]) if row in relevant), default=-1)
            wrong = [place for place, row in enumerate(order[:TOP]) if row not in relevant]
            rows = [order[place] for place in wrong if place < last or order[place] in judged]
        if relevant and rows:
            yield Task(q[number], int(rng.choice(rows)), relevant, number)


def measured(index: Index, q: Float32, task: Task, direction: Direction) -> dict[str, Any]:
    """The figures of every arm for one document."""
    rng = np.random.default_rng(task.number)
    rest = np.delete(np.arange(len(q)), task.number)
    order = rng.permutation(rest)
    others = OtherQueries.of(index, q[order[:20]])
    held_out = OtherQueries.of(index, q[order[20:120]], most=None) if len(order) > 20 else None
    plain = all_scores(index, task.q)
    name = index.document(task.row).id
    top = np.argsort(-plain, kind="stable")[:TOP].tolist()
    good = [index.document(row).id for row in top if row in task.relevant and row != task.row]
    found = push(index, task.q, name, direction, others=others)
    record: dict[str, Any] = {
        "direction": direction,
        "rank": found.rank,
        "relevant": sum(row in task.relevant and row != task.row for row in top),
    }
    profiles: dict[str, SteeringProfile | None] = {"first": first(found.proposals)}
    profiles["all queries"] = first([one for one in found.proposals if one.least_cosine is None])
    profiles["good marked"] = first(push(index, task.q, name, direction, good=good, others=others).proposals)
    if profiles["first"] is not None:
        record["scope"] = found.proposals[0].scope
        record["features"] = len(found.proposals[0].features)
        profiles["random features"] = random_features(index, task, profiles["first"], rng)
    profiles |= largest(index, task)
    for arm, profile in profiles.items():
        record[arm] = None if profile is None else figures(index, task, profile, plain)
    for arm in ("first", "all queries"):
        if record[arm] is not None and profiles[arm] is not None:
            record[arm]["harm"] = harm(index, others, profiles[arm])
            if held_out is not None:
                record[arm]["harm_held_out"] = harm(index, held_out, profiles[arm])
    if profiles["first"] is not None:
        record["unit vectors"] = figures(index, task, profiles["first"], plain, unit=True)
    record["curve"] = [
        effect_at(index, task, push(index, task.q, name, direction, others=others, most_harm=limit).proposals, record)
        for limit in LIMITS
    ]
    return record


def first(proposals: Any) -> SteeringProfile | None:
    return proposals[0].profile if proposals else None


def effect_at(index: Index, task: Task, proposals: tuple[Proposal, ...], record: dict[str, Any]) -> bool:
    """Whether the first proposal for all queries moves the document far enough."""
    some = [one for one in proposals if one.least_cosine is None]
    return bool(some) and reached(record["direction"], record["rank"], some[0].rank_after)


def reached(direction: str, before: int, after: int) -> bool:
    """The targets: out of the top 10 or five ranks down; into the top 10."""
    return (after > TOP >= before or after - before >= FAR) if direction == "down" else after <= TOP < before


def figures(
    index: Index, task: Task, profile: SteeringProfile, plain: Float32, *, unit: bool = False
) -> dict[str, int]:
    """The rank with a profile, and how many relevant documents leave the top 10."""
    top = np.argsort(-plain, kind="stable")[:TOP].tolist()
    if profile.kind == "project":
        edited = Removal.of(index.explainer.sae, profile.factors).edit(index.vectors(index.alive))
        scores = edited @ task.q
        scores = scores / np.linalg.norm(edited, axis=1) if unit else scores
        after, new = rank_in(scores, task.row), np.argsort(-scores, kind="stable")[:TOP].tolist()
    else:
        rows = rank(index, prepare(index, task.q, SearchOptions(steer=profile)), len(index)).rows.tolist()
        after, new = rows.index(task.row) + 1, rows[:TOP]
    kept = [row for row in top if row in task.relevant and row != task.row]
    return {"rank_after": after, "relevant_lost": sum(row not in new for row in kept)}


def harm(index: Index, others: OtherQueries, profile: SteeringProfile) -> float:
    before = top_rows(index, others.vectors, others.own, DEPTH)
    return round(float(harm_of(before, with_profiles(index, others, before, [profile])[0]).mean()), 4)


def random_features(index: Index, task: Task, profile: SteeringProfile, rng: np.random.Generator) -> SteeringProfile:
    """The same factors on other features that are active in the document."""
    active = index.codes(np.array([task.row]), "original").support(0)
    drawn = rng.permutation(np.setdiff1d(active, list(profile.factors)))[: len(profile.factors)].tolist()
    return replace(profile, factors=dict(zip(drawn, profile.factors.values(), strict=False)))


def largest(index: Index, task: Task) -> dict[str, SteeringProfile | None]:
    """The feature with the largest share, times 0, of both kinds."""
    sae, rows = index.explainer.sae, np.array([task.row])
    made = index.explainer.explain_codes(
        task.q[None], index.vectors(rows), sae.encode(task.q[None]), index.all_codes(rows)
    )
    terms = next(iter(made)).terms
    if not terms or terms[0].feature_id is None:
        return {"largest share, scaled": None, "largest share, projected": None}
    factors = {terms[0].feature_id: 0.0}
    return {
        "largest share, scaled": SteeringProfile(factors, sae.digest),
        "largest share, projected": SteeringProfile(factors, sae.digest, kind="project"),
    }


ARMS = (
    *("first", "all queries", "good marked", "unit vectors", "random features"),
    *("largest share, scaled", "largest share, projected"),
)


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Fractions over the hits of both directions."""
    out: dict[str, Any] = {}
    for direction in ("down", "up"):
        some = [record for record in records if record["direction"] == direction]
        if not some:
            continue
        arms = {}
        for arm in ARMS:
            done = [(record, record[arm]) for record in some if record.get(arm) is not None]
            sign = 1 if direction == "down" else -1
            moved = [sign * (one["rank_after"] - record["rank"]) for record, one in done]
            relevant = sum(record["relevant"] for record, _ in done)
            arms[arm] = {
                "answered": round(len(done) / len(some), 3),
                "reached": round(sum(reached(direction, r["rank"], o["rank_after"]) for r, o in done) / len(some), 3),
                "wrong way": round(sum(move < 0 for move in moved) / len(some), 3),
                "relevant lost": round(sum(one["relevant_lost"] for _, one in done) / max(1, relevant), 3),
            }
            for key in ("harm", "harm_held_out"):
                values = [one[key] for _, one in done if key in one]
                if values:
                    arms[arm][key] = round(float(np.mean(values)), 4)
        out[direction] = {"hits": len(some), **arms}
    return out


def curve(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The fraction that the first proposal for all queries moves far enough, by the harm that is allowed."""
    return {
        "harm": LIMITS,
        **{
            direction: [
                round(float(np.mean([r["curve"][place] for r in records if r["direction"] == direction])), 3)
                for place in range(len(LIMITS))
            ]
            for direction in ("down", "up")
        },
    }


if __name__ == "__main__":
    main()
