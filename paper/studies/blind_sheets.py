"""Blind sheets for a reader: can a feature be labelled plainly, and does its own label fit better than another's?

    xetrieval label examples minilm CORPUS... --output EXAMPLES
    python -m paper.studies.blind_sheets sheets --examples EXAMPLES --work DIR
        write plain.txt, choice.txt, near.txt and key.json
    python -m paper.studies.blind_sheets score --work DIR
        answers.json beside them -> names/readings.json

plain   200 features, their eight strongest texts and no label: yes if six of the eight share one specific subject
choice  200 others, their five strongest texts and two labels in random order: its own, and any other feature's
near    100 others, the same with the label of the feature of the nearest direction

All texts are from the judged side, which no label was made from. The reader never sees the key. answers.json has
{"plain": [numbers of the features that are NOT plain], "choice": ["A", "B", ...], "near": [...]}.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import xetrieval
from xetrieval.arrays import l2norm
from xetrieval.files import write_text
from xetrieval.intervals import wilson
from xetrieval.labels.examples import Example, load_examples

NAMES = Path(__file__).parent / "names"
SEED = 20261126


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("sheets", "score"))
    parser.add_argument("--examples", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    given = parser.parse_args()
    if given.step == "sheets":
        sheets(given.examples, given.work)
    else:
        score(given.work)


def sheets(examples: Path, work: Path) -> None:
    explainer = xetrieval.load("minilm")
    folder = load_examples(examples)
    folder.check(explainer.sae.digest, str(examples))
    top = {feature.feature_id: feature.judging.top for feature in folder.features}
    able = [j for j in range(explainer.sae.features) if len(top[j]) >= 8]
    rng = np.random.default_rng(SEED)
    order = rng.permutation(able).tolist()
    plain, choice, near = order[:200], order[200:400], order[400:500]
    unit = l2norm(explainer.sae.directions)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -9)
    write_text(work / "plain.txt", "\n".join(_shown(i, top[j], 8) for i, j in enumerate(plain, 1)))
    key: dict[str, object] = {"plain": plain}
    for name, sample in (("choice", choice), ("near", near)):
        lines, answers = [], []
        for number, feature in enumerate(sample, 1):
            others = [o for o in range(explainer.sae.features) if o != feature]
            other = int(rng.choice(others)) if name == "choice" else int(cosine[feature].argmax())
            own_first = bool(rng.integers(2))
            a, b = (feature, other) if own_first else (other, feature)
            answers.append({"feature": feature, "other": other, "own_is": "A" if own_first else "B"})
            names = f" A: {explainer.features[a].label}\n B: {explainer.features[b].label}"
            lines.append(f"{_shown(number, top[feature], 5)}\n{names}")
        write_text(work / f"{name}.txt", "\n".join(lines))
        key[name] = answers
    write_text(work / "key.json", json.dumps(key))


def score(work: Path) -> None:
    key, answers = (json.loads((work / name).read_text()) for name in ("key.json", "answers.json"))
    read = {"plain": [{"feature": f, "plain": i not in answers["plain"]} for i, f in enumerate(key["plain"], 1)]}
    for name in ("choice", "near"):
        pairs = zip(key[name], answers[name], strict=True)
        read[name] = [
            {"feature": k["feature"], "other": k["other"], "right": answer == k["own_is"]} for k, answer in pairs
        ]
    for name, field in (("plain", "plain"), ("choice", "right"), ("near", "right")):
        share = float(np.mean([record[field] for record in read[name]]))
        print(name, share, [round(bound, 3) for bound in wilson(share, len(read[name]))])
    write_text(NAMES / "readings.json", json.dumps(read) + "\n")


def _shown(number: int, texts: tuple[Example, ...], count: int) -> str:
    return "\n".join([f"#{number}", *(" ".join(e.text.split())[:86] for e in texts[:count])])


if __name__ == "__main__":
    main()
