"""Does removing nuisance features from the stored vectors of a mixed corpus help retrieval? -> results/nuisance.json

    XETRIEVAL_DATA=DIR python -m paper.studies.nuisance --work DIR [--only joined|planted]

DIR has an index per dataset; see steer_query.py. Three sets are joined with the texts as they came, and a dictionary is
learned from the joined vectors, as `index build` does. As in `xetrieval index nuisances`, the best features by AUROC
are chosen for each source, for length, and for each repeated line, if their interval is above the permuted control:
those of at least 0.7 (candidates), or of any AUROC. All are removed, because no person chooses. NDCG@10 of every set's
queries over the joined corpus; changes with 95 % intervals by bootstrap over queries. Controls: as many random features
that are active on at least 20 documents (ten draws), and the same choice from untrained dictionaries (three seeds),
whose features have no meaning.

Planted: a header and a footer of a site around 400 documents of each of three sets; every document has it, or half of
each set's documents, at random.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from paper.kit.results import as_json
from paper.studies.minilm import RESULTS, data
from xetrieval import load
from xetrieval.arrays import Float32, Float64, IntArray
from xetrieval.data.benchmark import read_benchmark, sample_benchmark
from xetrieval.encoders import read_texts
from xetrieval.evaluate.retrieval import ndcg10_of_rankings
from xetrieval.explain.untrained import untrained
from xetrieval.fitting.own import CorpusRows, learn_own
from xetrieval.index import open_index
from xetrieval.index.ask.nuisance import EACH, FEWEST, LEAST, PERMUTED, Ranked
from xetrieval.intervals import bootstrap
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.stack import Stack
from xetrieval.steer import Removal
from xetrieval.steer.trials import best_places

JOINED = (
    ("arguana", "cacm", "climate-fever-evidence"),
    ("english-dup", "mutual", "scifact"),
    ("cacm", "stackexchange-qa", "vaswani"),
)
PLANTED = ("cacm", "english-dup", "mutual")
QUERIES = 100
MOST = 20
DOCUMENTS = 400  # of each set, with planted boilerplate
DRAWS, SEEDS = 10, 3
SITES = {
    "cacm": (
        "ACM Archive | Home | Browse issues | Sign in | Subscribe\nYou are reading the digital edition.",
        "Download as PDF | Cite this article | Contact the librarian | Terms of use | Copyright Association",
    ),
    "english-dup": (
        "English Questions - the community for learners\nTags | Users | Badges | Unanswered | Ask a question",
        "Not the answer you are looking for? Browse other questions or join our newsletter. Privacy policy",
    ),
    "mutual": (
        "Listening Practice Online, Level 2\nPlay | Pause | Download the audio | Show the transcript",
        "Next exercise | Previous exercise | Share on social media | Cookies help us deliver our services",
    ),
}


class Group(NamedTuple):
    """Which features to remove: the `most` best ones for each property of a kind, of at least this AUROC."""

    kind: str
    most: int
    least: float


CAME = {
    "source, candidates": Group("source", EACH, LEAST),
    "source, best 5": Group("source", EACH, 0.5),
    "source, best 20": Group("source", 20, 0.5),
    "length, best 5": Group("length", EACH, 0.5),
}
LINES = {"line, candidates": Group("line", EACH, LEAST), "line, best 20": Group("line", 20, 0.5)}


class Mixed(NamedTuple):
    """Joined sets: vectors, the set of each document, texts, and judged queries."""

    sets: tuple[str, ...]
    z: Float32
    source: IntArray  # [n]
    texts: list[str]
    ids: list[str]  # set/id
    q: Float32
    asks: IntArray  # set of each query, [Q]
    own: list[str]  # id that a query must not find
    judged: list[dict[str, int]]


def joined(names: tuple[str, ...], work: Path) -> Mixed:
    """The sets as they are."""
    z, source, texts, ids, q, asks, own, judged = [], [], [], [], [], [], [], []
    for place, name in enumerate(names):
        index = open_index(work / name)
        benchmark = sample_benchmark(read_benchmark(data() / name), QUERIES)
        z.append(index.vectors(index.alive))
        stored = [index.document(row) for row in index.alive.tolist()]
        ids += [f"{name}/{one.id}" for one in stored]
        texts += [one.text for one in stored]
        source += [place] * len(stored)
        known = set(ids)
        for query, text in zip(benchmark.query_ids, benchmark.queries, strict=True):
            grades = {f"{name}/{doc}": grade for doc, grade in benchmark.judgments[query].items()}
            if any(grade > 0 and doc in known for doc, grade in grades.items()):
                q.append(index.query_vector(text)[0])
                asks.append(place)
                own.append(f"{name}/{query}")
                judged.append(grades)
    return Mixed(names, np.concatenate(z), np.array(source), texts, ids, np.stack(q), np.array(asks), own, judged)


def smaller(mixed: Mixed, rng: np.random.Generator) -> Mixed:
    """`DOCUMENTS` of each set: those that are relevant to some query first."""
    relevant = {doc for grades in mixed.judged for doc, grade in grades.items() if grade > 0}
    rows: list[int] = []
    for place in range(len(mixed.sets)):
        mine = rng.permutation(np.flatnonzero(mixed.source == place)).tolist()
        rows += sorted(sorted(mine, key=lambda row: mixed.ids[row] not in relevant)[:DOCUMENTS])
    ids = [mixed.ids[row] for row in rows]
    asks = [i for i, grades in enumerate(mixed.judged) if any(grades.get(doc, 0) > 0 for doc in ids)]
    return Mixed(
        mixed.sets,
        mixed.z[rows],
        mixed.source[rows],
        [mixed.texts[row] for row in rows],
        ids,
        mixed.q[asks],
        mixed.asks[asks],
        [mixed.own[i] for i in asks],
        [mixed.judged[i] for i in asks],
    )


def ndcg(mixed: Mixed, scores: Float64) -> tuple[Float64, float]:
    """NDCG@10 of each query, in percent, and the fraction of top tens that is of other sets."""
    place = {doc: at for at, doc in enumerate(mixed.ids)}
    for row, doc in enumerate(mixed.own):
        if doc in place:
            scores[row, place[doc]] = -np.inf
    top = best_places(scores, 10)
    ranked = [[mixed.ids[at] for at in one] for one in top.tolist()]
    other = float((mixed.source[top] != mixed.asks[:, None]).mean())
    return 100 * np.asarray(ndcg10_of_rankings(mixed.judged, ranked)), other


Found = Mapping[str, list[tuple[int, float]]]  # property -> features and AUROCs, best first


def chosen(sae: SparseAutoencoder, z: Float32, properties: Mapping[str, NDArray[np.bool_]]) -> Found:
    """The features that separate each property, above the control."""
    ranked, rng, out = Ranked.of(sae.encode(z), sae.features), np.random.default_rng(0), {}
    for name, has in properties.items():
        permuted = max(float(ranked.aurocs(rng.permutation(has)).max()) for _ in range(PERMUTED))
        aurocs = ranked.aurocs(has)
        best = np.argsort(-aurocs, kind="stable")[:MOST].tolist()
        out[name] = [(j, float(aurocs[j])) for j in best if ranked.interval(j, has)[0] > permuted]
    return out


def learned(z: Float32) -> SparseAutoencoder:
    """The dictionary that `index build` learns from these vectors."""
    with tempfile.TemporaryDirectory() as work:
        rows = CorpusRows(Stack([z]), np.empty(0, np.int64), None, str)
        return learn_own(rows, load("minilm"), Path(work), {}).sae


def measured(
    mixed: Mixed, properties: Mapping[str, NDArray[np.bool_]], groups: Mapping[str, Group]
) -> list[dict[str, Any]]:
    """One record for each group of features."""
    sae, q64 = learned(mixed.z), mixed.q.astype(np.float64)
    plain = q64 @ mixed.z.T
    before, other = ndcg(mixed, plain.copy())
    inside = np.where(mixed.source == mixed.asks[:, None], plain, -np.inf)
    within = ndcg(mixed, inside)[0]
    Console().print(f"{mixed.sets}: {len(mixed.z)} documents, {len(mixed.q)} queries, NDCG {before.mean():.2f}")
    codes = sae.encode(mixed.z)
    live = np.flatnonzero(np.bincount(codes.features[codes.values > 0], minlength=sae.features) >= FEWEST)
    found = chosen(sae, mixed.z, properties)
    dictionaries = list(untrained(sae, mixed.z, seeds=range(SEEDS)))
    by_chance = [chosen(one, mixed.z, properties) for one in dictionaries]

    def after(one: SparseAutoencoder, ids: list[int], form: Callable[[Removal], Float64]) -> tuple[Float64, float]:
        return ndcg(mixed, q64 @ form(Removal.of(one, dict.fromkeys(ids, 0.0))).T)

    def stored(removal: Removal) -> Float64:
        return removal.unit(mixed.z).astype(np.float64)

    records = []
    for name, group in groups.items():
        pick = _picked(found, group)
        record: dict[str, Any] = {
            "sets": list(mixed.sets),
            "documents": len(mixed.z),
            "queries": len(mixed.q),
            "removed": name,
            "features": len(pick),
            "largest_auroc": round(
                max((a for k, some in found.items() for _, a in some if k.startswith(group.kind)), default=0.5), 3
            ),
            "ndcg10": round(float(before.mean()), 2),
            "ndcg10_by_set": {
                one: round(float(before[mixed.asks == place].mean()), 2) for place, one in enumerate(mixed.sets)
            },
            "ndcg10_own_set_alone": round(float(within.mean()), 2),
            "top10_of_other_sets": round(other, 4),
        }
        if pick:
            rng = np.random.default_rng(len(pick))
            gain, other_after = after(sae, pick, stored)
            rest = np.setdiff1d(live, pick)
            draws = [rng.choice(rest, min(len(pick), len(rest)), replace=False).tolist() for _ in range(DRAWS)]
            at_random = np.mean([after(sae, ids, stored)[0] for ids in draws], axis=0)
            record |= _change("stored", gain - before) | _change("random", at_random - before)
            record |= _change("stored_over_random", gain - at_random)
            record |= _change("query_form", after(sae, pick, lambda one: one.edit(mixed.z))[0] - before)
            record["top10_of_other_sets_after"] = round(other_after, 4)
            record["by_set"] = {
                name: _change("stored", (gain - before)[mixed.asks == place])["stored"]
                for place, name in enumerate(mixed.sets)
            }
            picks = [(one, _picked(some, group)) for one, some in zip(dictionaries, by_chance, strict=True)]
            record["untrained_features"] = [len(ids) for _, ids in picks]
            untaught = [after(one, ids, stored)[0] if ids else before for one, ids in picks]
            by_chance_alone = np.mean(untaught, axis=0)
            record |= _change("untrained", by_chance_alone - before)
            record |= _change("stored_over_untrained", gain - by_chance_alone)
        records.append(record)
        Console().print(record)
    return records


def _picked(found: Found, group: Group) -> list[int]:
    lists = [some[: group.most] for name, some in found.items() if name.startswith(group.kind)]
    return sorted({j for some in lists for j, auroc in some if auroc >= group.least})


def _change(name: str, change: Float64) -> dict[str, Any]:
    return {name: bootstrap(change).rounded(2)}


def properties_of(mixed: Mixed) -> dict[str, NDArray[np.bool_]]:
    """Each source, and length."""
    lengths = np.array([len(text) for text in mixed.texts])
    sources = {f"source={name}": mixed.source == place for place, name in enumerate(mixed.sets)}
    return sources | {"length: longer": lengths > np.median(lengths), "length: shorter": lengths < np.median(lengths)}


def planted(work: Path) -> list[dict[str, Any]]:
    """Boilerplate around every document, around half of them, and around none."""
    rng = np.random.default_rng(0)
    mixed = smaller(joined(PLANTED, work), rng)
    pages = []
    for text, place in zip(mixed.texts, mixed.source.tolist(), strict=True):
        header, footer = SITES[mixed.sets[place]]
        pages.append(f"{header}\n{text}\n{footer}")
    around = read_texts(load("minilm").encoder, pages, "document").vectors
    half = rng.random(len(pages)) < 0.5
    out = []
    for share, has in (("none", np.zeros(len(half), bool)), ("half", half), ("all", np.ones(len(half), bool))):
        one = mixed._replace(z=np.where(has[:, None], around, mixed.z))
        lines = {
            f"line of {name}": has & (one.source == place) for place, name in enumerate(one.sets) if share == "half"
        }
        groups = CAME | (LINES if lines else {})
        out += [{"boilerplate": share, **record} for record in measured(one, properties_of(one) | lines, groups)]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", choices=("joined", "planted"))
    given = parser.parse_args()
    path, came = RESULTS / "nuisance.json", "as it came"
    known = json.loads(path.read_text()) if path.is_file() else []
    kept = [one for one in known if given.only and (one["boilerplate"] == came) == (given.only == "planted")]
    records: list[dict[str, Any]] = []
    for names in JOINED if given.only != "planted" else ():
        mixed = joined(names, given.work)
        records += [{"boilerplate": came, **one} for one in measured(mixed, properties_of(mixed), CAME)]
        path.write_text(as_json([*records, *kept]))
    if given.only != "joined":
        path.write_text(as_json([*kept, *records, *planted(given.work)]))


if __name__ == "__main__":
    main()
