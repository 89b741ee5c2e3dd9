"""Do names that depend on the pair fit better than one label a feature? Both on the same new pairs of the eight sets.

    python -m paper.studies.names_in_pair -> results/names_in_pair.json

`names/in_pair.jsonl` has a line for each pair: the set, the ids of query and document, score - bias, and for each name
the shares of its lines with either rule and the verdict of a reader. The reader saw both texts and, in random order,
the names of both rules and a decoy, without knowing which is which. The pairs are those of `xetrieval evaluate names
--seed 20`: all relevant hits, and ten others of each set.

`names/in_pair/` has the keys of all 480 pairs with the final rule, and the verdicts of two other readers: language
models that had no part in the change, saw neither rules nor keys, and judged all names and four decoys a pair.

`names/marked/` has the same for 30 relevant and 30 other pairs of four sets, read again by two new readers after names
that one text lacks were marked. There, `ten.csv` has their verdicts on ten whole explanations of three corpora.

    python -m paper.studies.names_in_pair keep --sheets DIR --keys DIR [--folder marked]
        copy ids and verdicts of SET.READER.csv to names/FOLDER, before the figures are computed
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST
from paper.studies.own_names import keep
from xetrieval.evaluate.names import KeyRow, Sheet, read_key, read_sheet, score_names

PAIRS: Final = Path(__file__).parent / "names" / "in_pair.jsonl"
NAMES: Final = Path(__file__).parent / "names"
SHEETS: Final = NAMES / "in_pair"
MARKED: Final = NAMES / "marked"
OUTPUT: Final = RESULTS / "names_in_pair.json"
RULES: Final = {
    "label": "one label a feature, two of four signs",
    "in pair": "one of its names that both texts contain",
}
VERDICTS: Final = ("not there", "partly", "fits")
DRAWS: Final = 1000


def figures(pairs: Sequence[dict[str, Any]], rule: str) -> dict[str, float]:
    """Fractions of the names, and parts of the sum of score - bias."""
    names = [one for pair in pairs for one in pair["names"].values() if rule in one]
    whole = sum(pair["whole"] for pair in pairs)
    by_verdict = {v: [one[rule] for one in names if one["verdict"] == v] for v in VERDICTS}
    return {
        "names": len(names),
        **{verdict: len(shares) / max(1, len(names)) for verdict, shares in by_verdict.items()},
        "named": sum(one[rule] for one in names) / whole,
        "fits or partly, of the score": sum(by_verdict["fits"] + by_verdict["partly"]) / whole,
        "fits, of the score": sum(by_verdict["fits"]) / whole,
        "pairs with a name": sum(any(rule in one for one in pair["names"].values()) for pair in pairs),
        "pairs": len(pairs),
    }


def intervals(pairs: Sequence[dict[str, Any]], rule: str) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals (95 %) over pairs."""
    rng = np.random.default_rng(0)
    drawn = [figures([pairs[i] for i in rng.integers(0, len(pairs), len(pairs))], rule) for _ in range(DRAWS)]
    found = {}
    for key in ("fits", "not there", "fits or partly, of the score"):
        low, high = np.quantile([one[key] for one in drawn], [0.025, 0.975])
        found[key] = (round(float(low), 3), round(float(high), 3))
    return found


def two_readers(folder: Path) -> dict[str, dict[str, Any]]:
    """Figures of the sheets that two readers filled in: of each set, and of all."""
    keys: list[KeyRow] = []
    verdicts: dict[str, dict[tuple[str, int], int]] = {}
    found = {}
    for name in (one for one in LARGEST if (folder / f"{one}.key.csv").is_file()):
        key = read_key(folder / f"{name}.key.csv")
        filled = {path.suffixes[0]: read_sheet(path) for path in sorted(folder.glob(f"{name}.[0-9].csv"))}
        found[name] = score_names(key, list(filled.values())).to_dict()
        keys += key
        for reader, sheet in filled.items():
            verdicts.setdefault(reader, {}).update(sheet.verdicts)
    return {"all": score_names(keys, [Sheet(*one) for one in verdicts.items()]).to_dict()} | found


def tens() -> dict[str, dict[str, dict[str, int]]]:
    """How many of ten explanations each reader agreed with, by corpus."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    with (MARKED / "ten.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            counts = found.setdefault(row["corpus"], {}).setdefault(f"reader {row['reader']}", {})
            counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    return found


def copy(sheets: Path, keys: Path, folder: Path) -> None:
    """Copy keys, and ids and verdicts of the sheets."""
    folder.mkdir(exist_ok=True)
    for name in (one for one in LARGEST if (keys / f"{one}.csv").is_file()):
        key = read_key(keys / f"{name}.csv")
        shutil.copyfile(keys / f"{name}.csv", folder / f"{name}.key.csv")
        for place, path in enumerate(sorted(sheets.glob(f"{name}.*.csv")), 1):
            keep(key, read_sheet(path), folder / f"{name}.{place}.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", nargs="?", choices=("score", "keep"), default="score")
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--keys", type=Path)
    parser.add_argument("--folder", choices=("in_pair", "marked"), default="in_pair")
    given = parser.parse_args()
    if given.step == "keep":
        copy(given.sheets, given.keys, NAMES / given.folder)
    pairs = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    decoys = [one["verdict"] for pair in pairs for one in pair["names"].values() if not RULES.keys() & one.keys()]
    found: dict[str, Any] = {"decoys": {v: round(decoys.count(v) / len(decoys), 3) for v in VERDICTS}}
    for hits, relevant in (("relevant", True), ("others", False)):
        chosen = [pair for pair in pairs if pair["relevant"] is relevant]
        for rule in RULES:
            row: dict[str, Any] = {key: round(value, 3) for key, value in figures(chosen, rule).items()}
            row["intervals"] = intervals(chosen, rule)
            row["by set"] = {
                name: {k: round(v, 2) for k, v in figures([p for p in chosen if p["set"] == name], rule).items()}
                for name in dict.fromkeys(pair["set"] for pair in chosen)
            }
            found[f"{hits}, {rule}"] = row
    found |= {f"two readers, {name}": one for name, one in two_readers(SHEETS).items()}
    found |= {f"two readers, one-sided names marked, {name}": one for name, one in two_readers(MARKED).items()}
    found["ten explanations"] = tens()
    lines = [f'"{name}": {json.dumps(row)}' for name, row in found.items()]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
