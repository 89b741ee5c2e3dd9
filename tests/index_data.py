"""A small corpus, its index, and a build that kills itself at the n-th thing it does to a file."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from conftest import random_explainer, unit

from xetrieval.configs import ChunkConfig
from xetrieval.index import BuildConfig, Corpus, build_index
from xetrieval.index.build.compact import compact_index
from xetrieval.index.store.texts import Texts

SMALL = BuildConfig(shard_rows=64, block=16)
ADDING = replace(SMALL, adding=True)
SECRET = "zanzibarite"
WORDS = [f"word{number}" for number in range(120)]


def records(count: int, seed: int = 0) -> list[dict[str, object]]:
    rng = random.Random(seed)
    return [
        {
            "_id": f"d{number}",
            "title": f"Title {number}",
            "text": " ".join(rng.choices(WORDS, k=rng.randint(5, 25))),
            "metadata": {"site": ("cs", "ai")[number % 2], "tags": [f"t{number % 5}", "all"], "n": number},
        }
        for number in range(count)
    ]


def write_corpus(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def content(folder: Path) -> dict[str, object]:
    """Every file by its bytes, databases by what they hold."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".lock":
            name = path.relative_to(folder).as_posix()
            found[name] = Texts(path).digest() if path.suffix == ".sqlite" else path.read_bytes()
    return found


def killed_builds(home: Path, kills: int) -> None:
    """Kill a build at `kills` random points of its work, go on after each, and compare with one that nobody killed."""
    corpus = Corpus((write_corpus(home / "corpus.jsonl", records(200)),))
    explainer = random_explainer()
    build_index(corpus, explainer, home / "whole", SMALL)
    wanted, events = content(home / "whole"), _events(corpus, explainer, home / "count")
    rng = random.Random(0)
    for number in range(kills):
        folder = home / f"killed{number}"
        at, deaths = rng.randint(1, events), 0
        while not _survives(corpus, explainer, folder, at):
            deaths += 1
            at = rng.randint(1, events)
        build_index(corpus, explainer, folder, SMALL)
        assert content(folder) == wanted, f"kill {number}: another index"
        assert deaths
        shutil.rmtree(folder)
    sys.stdout.write(f"{kills} builds killed at one of {events} points: the same index each time\n")


def killed_changes(home: Path, kills: int) -> None:
    """The same for an addition that replaces documents and chunks, and for the compaction after it."""
    base, explainer = build_small(home, 100), random_explainer()
    secret = [{**one, "_id": f"s{i}", "text": f"{SECRET} " * 40} for i, one in enumerate(records(30))]
    build_index(Corpus((write_corpus(home / "more.jsonl", secret),), ChunkConfig(16)), explainer, base, ADDING)
    corpus = Corpus((write_corpus(home / "c.jsonl", [{**one, "_id": f"s{i}"} for i, one in enumerate(records(30))]),))
    done = []
    for name, act in (
        ("add", lambda folder: build_index(corpus, explainer, folder, ADDING)),
        ("compact", lambda folder: compact_index(folder, shard_rows=64)),
    ):
        wanted = home / name
        shutil.copytree(base, wanted)
        act(wanted)
        events, rng = (
            _counted(act, lambda base=base: shutil.copytree(base, home / "count"), home / "count"),
            random.Random(1),
        )
        for number in range(kills):
            folder = home / f"killed{number}"
            shutil.copytree(base, folder)
            while not _lives(partial(act, folder), rng.randint(1, events)):
                pass
            act(folder)
            assert content(folder) == content(wanted), f"{name}, kill {number}: another index"
            shutil.rmtree(folder)
        done.append(f"{kills} at one of {events} points of {name}")
        base = wanted
    assert not any(SECRET.encode() in path.read_bytes() for path in base.rglob("*") if path.is_file())
    sys.stdout.write(f"killed {', '.join(done)}: the same index each time\n")


def _survives(corpus: Corpus, explainer: object, folder: Path, at: int) -> bool:
    return _lives(lambda: build_index(corpus, explainer, folder, SMALL), at)  # type: ignore[arg-type]


def _lives(act: Callable[[], object], at: int) -> bool:
    child = os.fork()
    if child == 0:
        _counting(at)
        act()
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _counting(die_at: int = 0) -> list[str]:
    """What this process does to files from now on; the process dies at the `die_at`-th such thing."""
    seen: list[str] = []

    def hook(event: str, _: object) -> None:
        if event in ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "sqlite3.connect"):
            seen.append(event)
            if len(seen) == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return seen


def _events(corpus: Corpus, explainer: object, folder: Path) -> int:
    """How many such things a whole build does."""
    return _counted(lambda folder: build_index(corpus, explainer, folder, SMALL), lambda: None, folder)  # type: ignore[arg-type]


def _counted(act: Callable[[Path], object], begin: Callable[[], object], folder: Path) -> int:
    """How many such things `act` does in a folder as `begin` makes it, counted in a process of its own."""
    begin()
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        seen = _counting()
        act(folder)
        os.write(writer, str(len(seen)).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        events = int(answer.read())
    assert os.waitpid(child, 0)[1] == 0
    shutil.rmtree(folder, ignore_errors=True)
    return events


def peaks(home: Path) -> list[int]:
    """Bytes at the peak of building 1,000 and 10,000 documents, after one build that loads what is loaded once."""
    out = []
    for place, count in enumerate((1000, 1000, 10_000)):
        np.save(home / "v.npy", unit(count))
        corpus = Corpus((write_corpus(home / "c.jsonl", records(count)),), vectors=home / "v.npy")
        explainer = random_explainer()
        gc.collect()
        tracemalloc.start()
        build_index(corpus, explainer, home / f"index{place}", BuildConfig(shard_rows=256, block=128, force=True))
        out.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return out[1:]


def build_small(home: Path, count: int) -> Path:
    """An index of `count` small documents, in several shards."""
    corpus = Corpus((write_corpus(home / "corpus.jsonl", records(count)),))
    assert build_index(corpus, random_explainer(), home / "index", SMALL).added == count
    return home / "index"


if __name__ == "__main__":
    if sys.argv[2] == "memory":
        sys.stdout.write(" ".join(map(str, peaks(Path(sys.argv[1])))))
    elif sys.argv[2] == "changes":
        killed_changes(Path(sys.argv[1]), 8)
    else:
        killed_builds(Path(sys.argv[1]), int(sys.argv[2]))
