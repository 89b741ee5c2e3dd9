"""Sheets for blind readers: do the names of a corpus's own dictionary fit the texts that a reader reads?

A pair is a judged query and one of its three best hits, relevant ones and others in equal numbers. Its lines are the
features that carry a tenth of score - bias or more, at most five. A sheet shows both texts and, in random order, the
names that each arm has for these lines, and names of features that are active on neither text (decoys). It does not
say which is which: that is in the key, in another file. Arm A: key phrases of top texts. Arm B: labels from uses.

    XETRIEVAL_DATA=DIR python -m paper.studies.own_names sheet --cache DIR --output DIR [--seed 0] [--without KEY]
    python -m paper.studies.own_names score --key FILE --verdicts FILE [FILE]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from paper.studies.own_corpora import Corpus, encoder_in, open_corpora
from xetrieval.arrays import Float32
from xetrieval.configs.rule import sae_by_rule
from xetrieval.evaluate.pairs import Pairs
from xetrieval.explain import attribute, overlap
from xetrieval.labels.examples import top_examples
from xetrieval.labels.from_uses import UseLabel, labels_from_uses
from xetrieval.labels.keyphrases import keyphrase_labels
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.projection import FeatureSets
from xetrieval.sae.train import train_sae

SETS: Final = ("english-dup", "scifact", "stackexchange-qa")
VERDICTS: Final = ("not there", "partly", "fits")
NEAR: Final = 1.5  # standard deviations: a label nearer than that to both texts is `near`
PAIRS: Final = 40  # a set; half of them relevant, where there are as many
LINES: Final = 5
LEAST: Final = 0.1  # of score - bias
READ: Final = 1600  # characters of a text: about what the encoder reads

README: Final = """# Do these names fit?

Each line of `sheet.jsonl` is one item: a query, the text of a document that a search engine returned for it, and some
short names of topics or aspects, in random order. Judge each name by itself, from these two texts alone:

- `fits`: the name plainly describes something that both texts are about or plainly contain
- `partly`: it holds for one text only, or only loosely, or only one part of the name holds
- `not there`: it names something that is not in these texts

Write one line an item to `verdicts-N.jsonl`, with a verdict for every name:

    {"item": "scifact-7", "verdicts": {"scifact-7.1": "fits", "scifact-7.2": "not there"}}

Do not look for where the names come from. Some have nothing to do with the texts.
"""


class Line(NamedTuple):
    """A feature that both texts of a pair share."""

    feature: int
    fraction: float  # share / (score - bias)
    activation: float  # the smaller of the two


class Item(NamedTuple):
    """A pair with its lines, the largest fraction first."""

    query: int  # rows of the corpus
    document: int
    relevant: bool
    lines: list[Line]
    active: set[int]  # features that either text has


def items_of(corpus: Corpus, sae: SparseAutoencoder, seed: int, count: int = PAIRS) -> list[Item]:
    """Pairs of judged queries and their hits; those without any line are left out."""
    rng = np.random.default_rng(seed)
    relevant = rng.permutation(np.flatnonzero(corpus.pairs.relevant))
    others = rng.permutation(np.flatnonzero(~corpus.pairs.relevant))
    found: list[Item] = []
    for rows, many in ((relevant, count // 2), (others, count - count // 2)):
        some = [item for row in rows[: 3 * many].tolist() if (item := _item(corpus, sae, row)).lines]
        found += some[:many]
    return found


def _item(corpus: Corpus, sae: SparseAutoencoder, row: int) -> Item:
    query, document = int(corpus.pairs.query[row]), int(corpus.pairs.document[row])
    q, z = corpus.queries[query : query + 1], corpus.documents[document : document + 1]
    codes = sae.encode(q), sae.encode(z)
    shared = overlap(codes[0], [codes[1]], sae.features)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets(shared.starts, shared.features))
    own = float(parts.score[0] - parts.bias[0])
    dense = [one.dense(sae.features)[0] for one in codes]
    smaller = np.minimum(*dense)
    lines = [
        Line(int(feature), float(share) / own, float(smaller[feature]))
        for feature, share in zip(shared.features, parts.shares, strict=True)
        if own > 0 and share / own >= LEAST
    ]
    active = set(np.flatnonzero(np.maximum(*dense) > 0).tolist())
    relevant = bool(corpus.pairs.relevant[row])
    return Item(query, document, relevant, sorted(lines, key=lambda one: -one.fraction)[:LINES], active)


def sheet(
    corpus: Corpus, items: Sequence[Item], arms: Mapping[str, Sequence[str | None]], seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows for the readers, and rows of the key. A name that several arms or lines have is shown once.

    Args:
        arms: the name of each feature by arm.
    """
    rng = np.random.default_rng(seed)
    rows, key = [], []
    for place, item in enumerate(items):
        identifier = f"{corpus.name}-{place}"
        uses: dict[str, list[dict[str, Any]]] = {}
        written: dict[str, str] = {}
        for arm, names in arms.items():
            for line in item.lines:
                if name := names[line.feature]:
                    written.setdefault(name.lower(), name)
                    uses.setdefault(name.lower(), []).append({"arm": arm, **line._asdict()})
        decoys = _decoys(item, arms, set(uses), rng)
        written.update({name.lower(): name for name in decoys.values()})
        order = rng.permutation(sorted(written))
        shown = {f"{identifier}.{i + 1}": str(folded) for i, folded in enumerate(order)}
        document = corpus.benchmark.documents[item.document]
        rows.append(
            {
                "item": identifier,
                "query": corpus.benchmark.queries[item.query][:READ],
                "document": document.text[:READ],
                "names": {name_id: written[folded] for name_id, folded in shown.items()},
            }
        )
        key.append(
            {
                "item": identifier,
                "query": corpus.benchmark.query_ids[item.query],
                "document": document.id,
                "relevant": item.relevant,
                "lines": [line._asdict() for line in item.lines],
                "names": {name_id: uses.get(folded, "decoy") for name_id, folded in shown.items()},
            }
        )
    return rows, key


def _decoys(
    item: Item, arms: Mapping[str, Sequence[str | None]], shown: set[str], rng: np.random.Generator
) -> dict[str, str]:
    """Names of silent features, one each of the first and the last arm by letter."""
    out: dict[str, str] = {}
    for arm in (min(arms), max(arms)):
        names = arms[arm]
        silent = [
            name
            for feature, name in enumerate(names)
            if name and feature not in item.active and name.lower() not in shown and name not in out.values()
        ]
        out[arm] = str(rng.choice(np.array(silent, object)))
    return out


def write_sheet(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The sheet with its instructions; `READY` comes last."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "sheet.jsonl", rows)
    (folder / "README.md").write_text(README)
    (folder / "READY").touch()


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def make(name: str, cache: Path, seed: int, without: set[tuple[str, str]]) -> tuple[list[Any], list[Any]]:
    """Sheet and key of one set, on its largest corpus; no pair of `without`."""
    corpus = max(open_corpora(name, cache).items())[1]
    x = np.concatenate([corpus.documents, corpus.sentences])
    sae = train_sae(x, sae_by_rule(len(x)))
    texts = [*(document.text for document in corpus.benchmark.documents), *corpus.sentence_texts]
    owner = np.concatenate([np.arange(len(corpus.documents)), corpus.sentence_passages])
    encode = encoder_in(cache).encode_document
    found = labels_from_uses(sae, x, texts, owner, encode)
    top = top_examples(sae.encode(x), sae.features)
    examples = [top.of(j).tolist() for j in range(sae.features)]
    arms = {
        "A": keyphrase_labels(texts.__getitem__, examples, range(len(texts))),
        "B": [one.label for one in found],
    }
    pairs, ids = corpus.pairs, corpus.benchmark.query_ids
    fresh = np.array(
        [
            (ids[q], corpus.benchmark.documents[d].id) not in without
            for q, d in zip(pairs.query.tolist(), pairs.document.tolist(), strict=True)
        ]
    )
    corpus = corpus._replace(pairs=Pairs(pairs.query[fresh], pairs.document[fresh], pairs.relevant[fresh]))
    rows, key = sheet(corpus, items_of(corpus, sae, seed), arms, seed)
    _add_trust(rows, key, corpus, found, encode, x)
    return rows, key


def _add_trust(
    rows: Sequence[Mapping[str, Any]],
    key: Sequence[dict[str, Any]],
    corpus: Corpus,
    found: Sequence[UseLabel],
    encode: Callable[[list[str]], Float32],
    x: Float32,
) -> None:
    """Beside each name of the key: its nearness to the farther text, and whether the activation is large enough."""
    query = {identifier: row for row, identifier in enumerate(corpus.benchmark.query_ids)}
    document = {one.id: row for row, one in enumerate(corpus.benchmark.documents)}
    for row, entry in zip(rows, key, strict=True):
        names = list(row["names"])
        vectors = encode([row["names"][name] for name in names])
        at_large = x @ vectors.T
        both = np.stack([corpus.queries[query[entry["query"]]], corpus.documents[document[entry["document"]]]])
        z = ((both @ vectors.T - at_large.mean(axis=0)) / at_large.std(axis=0)).min(axis=0)
        entry["z"] = dict(zip(names, np.round(z, 3).tolist(), strict=True))
        for uses in entry["names"].values():
            for use in uses if uses != "decoy" else ():
                use["holds"] = use["arm"] != "B" or use["activation"] >= found[use["feature"]].threshold


def read_verdicts(paths: Sequence[Path]) -> list[dict[str, int]]:
    """Per reader, the verdict of each name: 0 not there, 1 partly, 2 fits."""
    out = []
    for path in paths:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        out.append({name: VERDICTS.index(v.strip().lower()) for row in rows for name, v in row["verdicts"].items()})
    return out


def agreement(verdicts: Sequence[Mapping[str, int]]) -> float:
    """Krippendorff's alpha of two readers, with squared differences of 0, 1, 2."""
    both = np.array(
        [[one[name] for one in verdicts] for name in verdicts[0] if all(name in v for v in verdicts)], float
    )
    by_chance = 2 * both.var() * both.size / (both.size - 1)
    return float(1 - ((both[:, 0] - both[:, 1]) ** 2).mean() / by_chance)


def scored(
    key: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, int]], shown: Callable[[Any, Any], bool], arm: str
) -> dict[str, Any]:
    """Fits, partly, not there: by line and by share; 95 % intervals over pairs (bootstrap)."""
    table = []
    for entry in key:
        lines, shares, whole = np.zeros(3), np.zeros(3), 0.0
        whole = len(verdicts) * sum(min(1.0, line["fraction"]) for line in entry["lines"])
        for name, uses in entry["names"].items():
            for use in uses if uses != "decoy" else ():
                if use["arm"] == arm and shown(use, entry["z"][name]):
                    for reader in verdicts:
                        lines[reader[name]] += 1
                        shares[reader[name]] += min(1.0, use["fraction"])
        table.append([*lines, *shares, whole])
    rows = np.array(table).reshape(-1, 7)
    drawn = np.random.default_rng(0).integers(0, len(rows), (1000, len(rows)))
    low, high = np.nanpercentile([_figures(rows[some])["not_there"] for some in drawn], [2.5, 97.5])
    found = _figures(rows)
    found |= {"interval": [round(float(low), 3), round(float(high), 3)], "pairs": len(rows)}
    return found | {"pairs_with_a_name": int((rows[:, :3].sum(axis=1) > 0).sum()), "readers": len(verdicts)}


def _figures(rows: Any) -> dict[str, Any]:
    lines, shares, whole = rows[:, :3].sum(axis=0), rows[:, 3:6].sum(axis=0), rows[:, 6].sum()
    with np.errstate(invalid="ignore"):
        by_line, by_share = lines / lines.sum(), shares / shares.sum()
    return {
        "lines": int(lines.sum()),
        **dict(zip(("not_there", "partly", "fits"), np.round(by_line, 3).tolist(), strict=True)),
        **dict(zip(("not_there_share", "partly_share", "fits_share"), np.round(by_share, 3).tolist(), strict=True)),
        "share_that_fits": round(float(shares[1:].sum() / whole), 3),
    }


SHOWN: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "all": lambda use, z: True,
    "holds": lambda use, z: use["holds"],
    "near": lambda use, z: z >= NEAR,
    "holds and near": lambda use, z: use["holds"] and z >= NEAR,
}


def score(key: Sequence[Mapping[str, Any]], verdicts: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """Every arm, with and without what is known to hold, on relevant hits and on others."""
    decoys = [v[name] for entry in key for name, uses in entry["names"].items() if uses == "decoy" for v in verdicts]
    found: dict[str, Any] = {
        "alpha": round(agreement(verdicts), 3) if len(verdicts) == 2 else None,
        "decoys": dict(
            zip(VERDICTS, np.round(np.bincount(decoys, minlength=3) / len(decoys), 3).tolist(), strict=True)
        ),
    }
    arms = sorted({use["arm"] for e in key for uses in e["names"].values() if uses != "decoy" for use in uses})
    sets = sorted({entry["item"].rpartition("-")[0] for entry in key})
    for arm in arms:
        for shown, test in SHOWN.items():
            for relevant, hits in ((True, "relevant"), (False, "others")):
                some = [entry for entry in key if entry["relevant"] == relevant]
                found[f"{arm} {shown} {hits}"] = scored(some, verdicts, test, arm) | {
                    name: scored([e for e in some if e["item"].startswith(name)], verdicts, test, arm) for name in sets
                }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("sheet", "score"))
    parser.add_argument("--verdicts", nargs="*", type=Path, default=[])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", type=Path, nargs="*", default=[], help="keys of pairs that have been read")
    given = parser.parse_args()
    if given.step == "score":
        key = [json.loads(line) for line in given.key.read_text().splitlines()]
        print(json.dumps(score(key, read_verdicts(given.verdicts)), indent=1))
        return
    before = [json.loads(line) for path in given.without for line in path.read_text().splitlines()]
    made = [make(name, given.cache, given.seed, {(e["query"], e["document"]) for e in before}) for name in SETS]
    rows = [row for one, _ in made for row in one]
    given.output.mkdir(parents=True, exist_ok=True)
    _write(given.output / "key.jsonl", [entry for _, key in made for entry in key])
    write_sheet(given.output / "sheet", [rows[i] for i in np.random.default_rng(given.seed).permutation(len(rows))])


if __name__ == "__main__":
    main()
