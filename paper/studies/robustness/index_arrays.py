"""Change the arrays of an index at random: every kind of query must answer or refuse, in time."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from paper.studies.robustness.frame import Try, carry_out
from paper.studies.robustness.given import QUERY, index
from xetrieval.index import Index, open_index

CHANGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "all ones": lambda data, _: b"\xff" * len(data),
    "all zeros": lambda data, _: bytes(len(data)),
    "reversed": lambda data, _: data[::-1],
    "random": lambda data, rng: rng.randbytes(len(data)),
    "a few bytes": lambda data, rng: bytes(b ^ rng.randrange(256) if rng.random() < 0.01 else b for b in data),
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "twice as long": lambda data, _: data * 2,
    "empty": lambda *_: b"",
}
ASKED: dict[str, Callable[[Index], Any]] = {
    "search": lambda index: [hit.explanation.to_dict() for hit in index.search(QUERY, 5, exact=True)],
    "by concept": lambda index: [hit.explanation.to_dict() for hit in index.search("#3", 5, "concept")],
    "sparse": lambda index: [hit.explanation.to_dict() for hit in index.search(QUERY, 5, "sparse")],
    "why": lambda index: index.why(QUERY, "d3", "d70", counterfactual=True).to_dict(),
    "views": lambda index: [hit.explanation.to_dict() for hit in index.search(QUERY, 5, views={"qa": 0.3})],
    "frequency": lambda index: index.frequency.tolist(),
}


def asked(folder: Path, path: Path, change: str, way: str) -> str:
    whole = path.read_bytes()
    path.write_bytes(CHANGES[change](whole, random.Random(f"{path.name} {change}")))
    try:
        text = json.dumps(ASKED[way](open_index(folder)))
        return "NaN in an answer" if "NaN" in text or "Infinity" in text else "right"
    finally:
        path.write_bytes(whole)


def tries(folder: Path) -> Iterator[Try]:
    for path in sorted((folder / "shards" / "000000").iterdir()):
        for change in CHANGES if path.suffix in (".f32", ".f16", ".u16", ".u32", ".sqlite") else ():
            for way in ASKED:
                name = f"{path.name}, {change}, {way}"
                yield Try(f"an array or database, {change}", name, partial(asked, folder, path, change, way))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        carry_out("index arrays", tries(index(Path(home))))
