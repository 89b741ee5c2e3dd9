"""Do the names of a corpus's own dictionary fit the texts that a reader sees? The eight sets, and two small corpora.

    XETRIEVAL_DATA=DIR python -m paper.studies.own_corpora --cache DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.own_names index --cache DIR --work DIR [--sets SET ...]
    XETRIEVAL_DATA=DIR python -m paper.studies.own_names sheets --cache DIR --work DIR --sheets DIR --keys DIR
    python -m paper.studies.own_names score --judged-by WHO --keys DIR --sheets DIR -> results/blind_names.json

index   the largest corpus of each set, as `xetrieval index build` indexes it
sheets  60 pairs of each as `xetrieval evaluate names` draws them: SET.csv; the keys go to another folder
score   SET.READER.csv, as readers filled them in; ids and verdicts are copied to names/
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST, encoder_in, nested, title_of
from xetrieval.data.benchmark import Benchmark
from xetrieval.data.judgments import Queries
from xetrieval.evaluate.names import (
    VERDICTS,
    KeyRow,
    Sheet,
    draw_names,
    read_key,
    read_sheet,
    score_names,
    sheet_items,
    write_key,
    write_sheet,
)
from xetrieval.explain import load
from xetrieval.index import Corpus, build_index, open_index

NAMES: Final = Path(__file__).parent / "names"
OUTPUT: Final = RESULTS / "blind_names.json"
SMALL: Final = {"scifact-500": 500, "stackexchange-qa-150": 150}
SETS: Final = (*LARGEST, *SMALL)


def benchmark_of(name: str) -> Benchmark:
    """The corpus of a set."""
    if name in SMALL:
        return nested(name.rpartition("-")[0])[SMALL[name]]
    return nested(name)[LARGEST[name]]


def build(name: str, cache: Path, work: Path) -> None:
    """Index the corpus of a set with its own dictionary."""
    corpus = work / f"{name}.jsonl"
    rows = [{"_id": one.id, "title": title_of(one), "text": one.body} for one in benchmark_of(name).documents]
    corpus.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    build_index(Corpus((corpus,)), load("minilm", encoder_in(cache)), work / name)


def sheet(name: str, cache: Path, work: Path, sheets: Path, keys: Path) -> None:
    """Draw pairs of a set, and write its sheet and its key."""
    benchmark = benchmark_of(name)
    queries = Queries(benchmark.query_ids, benchmark.queries, 0)
    index = open_index(work / name, load(work / name / "explainer", encoder_in(cache)))
    key = draw_names(index, queries, benchmark.judgments)
    write_key(keys / f"{name}.csv", key)
    write_sheet(sheets / f"{name}.csv", sheet_items(key, index, queries))


def score(keys: Path, sheets: Path, judged_by: str) -> dict[str, Any]:
    """Figures of each set that has filled sheets, and of all of them."""
    found: dict[str, Any] = {"judged_by": judged_by, "sets": {}}
    all_keys: list[KeyRow] = []
    verdicts: dict[int, dict[tuple[str, int], int]] = {}
    for name in SETS:
        filled = [read_sheet(path) for path in sorted(sheets.glob(f"{name}.*.csv"))]
        if not filled:
            continue
        key = read_key(keys / f"{name}.csv")
        found["sets"][name] = score_names(key, filled).to_dict()
        keep(name, key, keys / f"{name}.csv", filled)
        if name in LARGEST:
            all_keys += key
            for place, one in enumerate(filled):
                verdicts.setdefault(place, {}).update(one.verdicts)
    readers = [Sheet(f"reader {place + 1}", one) for place, one in sorted(verdicts.items())]
    found["all"] = score_names(all_keys, readers).to_dict()
    return found


def keep(name: str, key: Sequence[KeyRow], path: Path, filled: Sequence[Sheet]) -> None:
    """Copy the key, and of each sheet the ids and verdicts."""
    if path.resolve() != (NAMES / f"{name}.key.csv").resolve():
        shutil.copyfile(path, NAMES / f"{name}.key.csv")
    for place, one in enumerate(filled, 1):
        with (NAMES / f"{name}.{place}.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("item", "number", "verdict"))
            rows = ((row.item, row.number) for row in key if (row.item, row.number) in one.verdicts)
            writer.writerows((*at, VERDICTS[one.verdicts[at]]) for at in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("index", "sheets", "score"))
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    for folder in ("cache", "work", "sheets", "keys"):
        parser.add_argument(f"--{folder}", type=Path)
    parser.add_argument("--judged-by", default="two readers")
    given = parser.parse_args()
    if given.step == "score":
        OUTPUT.write_text(json.dumps(score(given.keys, given.sheets, given.judged_by), indent=1) + "\n")
        return
    for folder in (given.work, given.sheets, given.keys):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    for name in given.sets:
        if given.step == "index":
            build(name, given.cache, given.work)
        else:
            sheet(name, given.cache, given.work, given.sheets, given.keys)
        print(name, flush=True)


if __name__ == "__main__":
    main()
