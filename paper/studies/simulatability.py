"""Can a reader predict from an explanation alone what the encoder does? The eight sets, their own dictionaries.

    XETRIEVAL_DATA=DIR python -m paper.studies.own_names index --cache DIR --work DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.simulatability draw --cache DIR --work DIR --keys DIR [--sets SET ...]
    XETRIEVAL_DATA=DIR python -m paper.studies.simulatability sheets --cache DIR --work DIR --keys DIR --sheets DIR
    python -m paper.studies.simulatability answer --cache DIR --mpnet DIR --keys DIR
    python -m paper.studies.simulatability score --keys DIR [--sheets DIR] -> results/simulatability.json

draw    SET.jsonl: questions of a set, each asked in all arms
answer  another encoder, all-mpnet-base-v2, answers them: SET.mpnet.csv
sheets  readers.jsonl: other questions, of all sets in random order, each in one of three arms; and the sheet that
        readers fill in, readers.csv, and the same as a page
score   with --sheets DIR, also what readers answered: answers-READER.csv there, with the columns item and answer; ids
        and answers are copied to simulated/, or without --sheets read from there
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST
from paper.studies.own_names import opened
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate.simulatability import (
    AnswerSheet,
    EncoderStudent,
    Question,
    SimulatabilityConfig,
    answer_all,
    draw_questions,
    read_key,
    read_sheet,
    score_answers,
    write_key,
    write_sheet,
)
from xetrieval.evaluate.simulatability.question import Answer
from xetrieval.explain import load

KEPT: Final = Path(__file__).parent / "simulated"
OUTPUT: Final = RESULTS / "simulatability.json"
READERS: Final = "readers"
ENCODER: Final = "mpnet"
QUESTIONS: Final = 40  # of each part, for the encoder
FOR_READERS: Final = 40  # of each part and arm, from all sets
ARMS: Final = ("true", "shuffled", "nothing")


def draw(name: str, cache: Path, work: Path, keys: Path) -> None:
    """The questions of a set for the encoder."""
    _, queries, index = opened(name, cache, work)
    write_key(keys / f"{name}.jsonl", draw_questions(index, queries, SimulatabilityConfig(QUESTIONS, repeat=True)))


def answer(name: str, cache: Path, mpnet: Path, keys: Path) -> None:
    """Let another encoder answer the questions of a set."""
    student = EncoderStudent(
        CachedEncoder(open_encoder(str(mpnet), precision="bfloat16"), cache), load("minilm").encoder_identity
    )
    filled, _ = answer_all(read_key(keys / f"{name}.jsonl"), student)
    write_answers(keys / f"{name}.{ENCODER}.csv", filled)


def write_answers(path: Path, filled: AnswerSheet) -> None:
    """Items and answers alone."""
    lines = [f"{item},{given},{filled.reader}\n" for item, given in filled.answers.items()]
    path.write_text("".join(["item,answer,reader\n", *lines]))


def sheets(cache: Path, work: Path, keys: Path, folder: Path) -> None:
    """One sheet of all sets; no item says which set it is of."""
    drawn: list[Question] = []
    few = SimulatabilityConfig(-(-FOR_READERS // len(LARGEST)), ARMS, seed=1)
    for name in LARGEST:
        _, queries, index = opened(name, cache, work)
        drawn += [replace(one, query=f"{name}/{one.query}") for one in draw_questions(index, queries, few)]
        print(name, flush=True)
    order = np.random.default_rng(0).permutation(len(drawn)).tolist()
    mixed = [replace(drawn[at], item=str(place)) for place, at in enumerate(order, 1)]
    write_key(keys / f"{READERS}.jsonl", mixed)
    write_sheet(folder / f"{READERS}.csv", mixed)
    write_sheet(folder / f"{READERS}.html", mixed)


def score(keys: Path | None, folder: Path | None) -> dict[str, Any]:
    """Figures of the encoder for each set and for all, and of the readers."""
    found: dict[str, Any] = {}
    if keys is not None:
        whole: list[Question] = []
        answers: dict[str, Answer] = {}
        for name in (name for name in LARGEST if (keys / f"{name}.{ENCODER}.csv").exists()):
            key, filled = read_key(keys / f"{name}.jsonl"), read_sheet(keys / f"{name}.{ENCODER}.csv")
            found[name] = score_answers(key, [filled]).to_dict()
            whole += [replace(one, query=f"{name}/{one.query}") for one in key]
            answers |= filled.answers
        found = {"all sets": score_answers(whole, [AnswerSheet(filled.reader, answers)]).to_dict()} | found
    if keys is not None and folder is not None:
        keep(keys, folder)
    if (KEPT / f"{READERS}.jsonl").exists():
        filled_in = [read_sheet(path) for path in sorted(KEPT.glob("answers-*.csv"))]
        found["readers"] = score_answers(read_key(KEPT / f"{READERS}.jsonl"), filled_in).to_dict()
    return found


def keep(keys: Path, folder: Path) -> None:
    """Copy the readers' key without its texts, and their answers."""
    KEPT.mkdir(exist_ok=True)
    bare = [replace(one, given=(), a=(), b=()) for one in read_key(keys / f"{READERS}.jsonl")]
    (KEPT / f"{READERS}.jsonl").unlink(missing_ok=True)
    write_key(KEPT / f"{READERS}.jsonl", bare)
    for path in sorted(folder.glob("answers-*.csv")):
        filled = read_sheet(path)
        write_answers(KEPT / path.name, replace(filled, reader=path.stem.removeprefix("answers-")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("draw", "answer", "sheets", "score"))
    parser.add_argument("--sets", nargs="*", default=list(LARGEST))
    for folder in ("cache", "work", "sheets", "keys", "mpnet"):
        parser.add_argument(f"--{folder}", type=Path)
    given = parser.parse_args()
    if given.step == "score":
        lines = [f'"{name}": {json.dumps(one)}' for name, one in score(given.keys, given.sheets).items()]
        OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return
    if given.step == "sheets":
        sheets(given.cache, given.work, given.keys, given.sheets)
        return
    for name in given.sets:
        if given.step == "draw":
            draw(name, given.cache, given.work, given.keys)
        else:
            answer(name, given.cache, given.mpnet, given.keys)
        print(name, flush=True)


if __name__ == "__main__":
    main()
