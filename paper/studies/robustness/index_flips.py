"""Flip single bits in every file of an index: does `index verify` find each?"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from paper.studies.robustness.frame import Try, carry_out
from paper.studies.robustness.given import QUERY, index
from xetrieval.errors import DamagedError
from xetrieval.index import open_index
from xetrieval.index.build.verify import verify_index

FLIPS = 30  # of a file


def verified(folder: Path, path: Path, bit: int) -> str:
    whole = path.read_bytes()
    data = bytearray(whole)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(data))
    try:
        verify_index(folder)
        return "not found"
    except DamagedError as error:
        return "found" if path.name in str(error) else f"another file named: {error}"
    finally:
        path.write_bytes(whole)


def searched(folder: Path, path: Path, bit: int, by: str) -> str:
    """Search an unverified index: an answer or a refusal, no traceback, no signal."""
    whole = path.read_bytes()
    data = bytearray(whole)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(data))
    try:
        for hit in open_index(folder).search(QUERY, 5, by):
            if not -2 < hit.score < 100:
                return f"a score of {hit.score}"
            str(hit.explanation.to_dict())
        return "right"
    finally:
        path.write_bytes(whole)


def tries(folder: Path) -> Iterator[Try]:
    rng = random.Random(0)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    for path in files:
        name = path.relative_to(folder).as_posix()
        for _ in range(FLIPS):
            bit = rng.randrange(8 * path.stat().st_size)
            yield Try("a flipped bit, `index verify`", f"{name}, bit {bit}", partial(verified, folder, path, bit))
    for path in files:
        for by in ("dense", "bm25", "sparse"):
            bit = rng.randrange(8 * path.stat().st_size)
            name = f"{path.relative_to(folder).as_posix()}, bit {bit}, {by}"
            yield Try(
                "a flipped bit, searched all the same: an answer or a refusal",
                name,
                partial(searched, folder, path, bit, by),
            )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        carry_out("index flips", tries(index(Path(home), fast=True)))
