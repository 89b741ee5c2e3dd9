"""Do the names of a corpus's own dictionary fit the texts that a reader sees? The eight sets, and two small corpora.

    XETRIEVAL_DATA=DIR python -m paper.studies.own_corpora --cache DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.own_names index --cache DIR --work DIR [--sets SET ...]
    XETRIEVAL_DATA=DIR python -m paper.studies.own_names sheets --cache DIR --work DIR --sheets DIR --keys DIR
    XETRIEVAL_DATA=DIR python -m paper.studies.own_names judge --mpnet DIR --cache DIR --work DIR --keys DIR
    python -m paper.studies.own_names score --judged-by WHO [--sheets DIR] --keys DIR -> results/blind_names.json

index   the largest corpus of each set, as `xetrieval index build` indexes it
sheets  60 pairs of each as `xetrieval evaluate names` draws them: SET.csv; the keys go to another folder
judge   another encoder, all-mpnet-base-v2, fills them in as well
score   SET.READER.csv, as readers filled them in; ids and verdicts are copied to names/blind, or without --sheets read
        from there
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from paper.studies.minilm import RESULTS
from paper.studies.own_corpora import LARGEST, encoder_in, nested, title_of
from xetrieval.data.benchmark import Benchmark
from xetrieval.data.judgments import Queries
from xetrieval.encoders import CachedEncoder, open_encoder
from xetrieval.evaluate.names import (
    VERDICTS,
    EncoderReader,
    KeyRow,
    Sheet,
    draw_names,
    judge,
    read_key,
    read_sheet,
    score_names,
    sheet_items,
    write_key,
    write_sheet,
)
from xetrieval.evaluate.names.judges import HALF_NEAR, NEAR
from xetrieval.explain import load
from xetrieval.index import Corpus, Index, build_index, open_index

NAMES: Final = Path(__file__).parent / "names" / "blind"
OUTPUT: Final = RESULTS / "blind_names.json"
SMALL: Final = {"scifact-500": 500, "stackexchange-qa-150": 150}
ENCODER: Final = "mpnet"
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


def opened(name: str, cache: Path, work: Path) -> tuple[Benchmark, Queries, Index]:
    """A set, its queries, and its index."""
    benchmark = benchmark_of(name)
    explainer = load(work / name / "explainer", encoder_in(cache))
    return benchmark, Queries(benchmark.query_ids, benchmark.queries, 0), open_index(work / name, explainer)


def sheet(name: str, cache: Path, work: Path, sheets: Path, keys: Path) -> None:
    """Draw pairs of a set, and write its sheet and its key."""
    benchmark, queries, index = opened(name, cache, work)
    key = draw_names(index, queries, benchmark.judgments)
    write_key(keys / f"{name}.csv", key)
    write_sheet(sheets / f"{name}.csv", sheet_items(key, index, queries))


def judged(name: str, cache: Path, work: Path, keys: Path, mpnet: Path) -> None:
    """Let another encoder fill in the sheet of a set."""
    _, queries, index = opened(name, cache, work)
    reader = EncoderReader(
        CachedEncoder(open_encoder(str(mpnet), precision="bfloat16"), cache), index.explainer.encoder_identity
    )
    key = read_key(keys / f"{name}.csv")
    filled, _ = judge(sheet_items(key, index, queries), reader)
    keep(key, filled, NAMES / f"{name}.{ENCODER}.csv")


def score(keys: Path, sheets: Path | None, judged_by: str) -> dict[str, Any]:
    """Figures of each set that has filled sheets, and of the eight sets together."""
    if sheets is not None:
        for name in SETS:
            key = read_key(keys / f"{name}.csv")
            shutil.copyfile(keys / f"{name}.csv", NAMES / f"{name}.key.csv")
            for place, path in enumerate(sorted(sheets.glob(f"{name}.*.csv")), 1):
                keep(key, read_sheet(path), NAMES / f"{name}.{place}.csv")
    by_encoder = f"{ENCODER}: fits from {NEAR} standard deviations, partly from {HALF_NEAR}"
    return {"readers": _scored("[0-9]", judged_by), "another encoder": _scored(ENCODER, by_encoder)}


def _scored(reader: str, judged_by: str) -> dict[str, Any]:
    keys: list[KeyRow] = []
    verdicts: dict[str, dict[tuple[str, int], int]] = {}
    found: dict[str, Any] = {}
    for name in SETS:
        key = read_key(NAMES / f"{name}.key.csv")
        filled = {path.suffixes[0]: read_sheet(path) for path in sorted(NAMES.glob(f"{name}.{reader}.csv"))}
        found[name] = _figures(key, list(filled.values()), judged_by)
        if name in LARGEST:
            keys += key
            for place, one in filled.items():
                verdicts.setdefault(place, {}).update(one.verdicts)
    return {"the eight sets": _figures(keys, [Sheet(place, one) for place, one in verdicts.items()], judged_by)} | found


def _figures(key: Sequence[KeyRow], sheets: Sequence[Sheet], judged_by: str) -> dict[str, Any]:
    return replace(score_names(key, sheets), judges=(judged_by,)).to_dict()


def keep(key: Sequence[KeyRow], filled: Sheet, path: Path) -> None:
    """Write the ids and verdicts of a sheet, in the order of the key."""
    rows = [(row.item, row.number) for row in key if (row.item, row.number) in filled.verdicts]
    lines = [f"{item},{number},{VERDICTS[filled.verdicts[item, number]]}\n" for item, number in rows]
    path.write_text("".join(["item,number,verdict\n", *lines]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("index", "sheets", "judge", "score"))
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    for folder in ("cache", "work", "sheets", "keys", "mpnet"):
        parser.add_argument(f"--{folder}", type=Path)
    parser.add_argument("--judged-by", default="two readers")
    given = parser.parse_args()
    if given.step == "score":
        found = score(given.keys, given.sheets, given.judged_by)
        lines = [
            f'"{who}": {{\n' + ",\n".join(f'"{name}": {json.dumps(one)}' for name, one in figures.items()) + "\n}"
            for who, figures in found.items()
        ]
        OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return
    for folder in (given.work, given.sheets, given.keys):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    for name in given.sets:
        if given.step == "index":
            build(name, given.cache, given.work)
        elif given.step == "judge":
            judged(name, given.cache, given.work, given.keys, given.mpnet)
        else:
            sheet(name, given.cache, given.work, given.sheets, given.keys)
        print(name, flush=True)


if __name__ == "__main__":
    main()
