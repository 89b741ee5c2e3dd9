"""Kill commands at a random moment and run them again: the result must be the same, with nothing left behind.

The moment is the n-th file that is opened, renamed, removed or truncated, so that every step is equally likely.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from paper.studies.robustness.frame import Try, carry_out, command, warm
from paper.studies.robustness.given import CUT, corpus, explainer, in_child
from xetrieval.index import Corpus, build_index
from xetrieval.index.store.texts import Texts

EVENTS = ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "os.rmdir", "sqlite3.connect", "ctypes.call")


def killed(do: Callable[[], object], at: int) -> bool:
    """Whether `do` was killed at its n-th event; it ends normally if it has fewer."""
    child = os.fork()
    if child == 0:
        seen = 0

        def hook(event: str, _: object) -> None:
            nonlocal seen
            if event in EVENTS:
                seen += 1
                if seen == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        do()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def content(folder: Path) -> dict[str, object]:
    """Every file by its bytes and databases by their content, except timings in training logs."""
    return {
        path.relative_to(folder).as_posix(): Texts(path).digest() if path.suffix == ".sqlite" else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "log.jsonl")
    }


def same(start: Path | None, do: Callable[[Path], object], whole: Path, at: int) -> str:
    """Kill, run again, and compare with the folder of an undisturbed run."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / whole.name
        if start is not None:
            shutil.copytree(start, folder)
        died = killed(lambda: do(folder), at)
        try:
            do(folder)
        except SystemExit as error:  # killed when all was done: then it says so
            if "exists already" not in str(error):
                raise
        left = [p.name for p in Path(home).iterdir() if p != folder and p.is_dir() and any(p.iterdir())]
        left = [name for name in left if not name.startswith(".")]
        if content(folder) != content(whole):
            return "another result"
        return f"left behind: {left}" if left else "the same" if died else "right"


def ran(*arguments: object) -> None:
    code, _, errors = command(*arguments)
    if code:
        raise SystemExit(errors)


def verbs(home: Path) -> dict[str, tuple[str | None, Callable[[Path], object], int]]:
    """A name, the folder to start from, the work, and the number of events among which to kill it."""
    one, two = Corpus((home / "one.jsonl",)), Corpus((home / "two.jsonl",))
    small = ("--encoder", "hashing", "-F", 16, "--l0", 2, "--epochs", 1, "--sentences", 0, "--name", "x")
    adding = CUT.__class__(shard_rows=64, block=16, adding=True)
    return {
        "index build": (None, lambda folder: build_index(one, explainer(), folder, CUT), 160),
        "index add": ("index build", lambda folder: build_index(two, explainer(), folder, adding), 160),
        "index accelerate quantised": (
            "index build",
            lambda folder: ran("index", "accelerate", folder, "quantised"),
            90,
        ),
        "fit": (None, lambda folder: ran("fit", home / "one.jsonl", *small, "--output", folder), 260),
        "sae train": (
            None,
            lambda folder: ran("sae", "train", home / "v.npy", "-F", 16, "--l0", 2, "--output", folder),
            200,
        ),
    }


def given(home: Path) -> None:
    """The input of the commands, and what each makes when it is not killed."""
    import numpy as np

    corpus(home / "one.jsonl", 100)
    corpus(home / "two.jsonl", 60, "e", 1)
    np.save(home / "v.npy", np.random.default_rng(0).standard_normal((80, 32)).astype(np.float32))
    for name, (start, do, _) in verbs(home).items():
        folder = home / name / "made"
        folder.parent.mkdir()
        if start is not None:
            shutil.copytree(home / start / "made", folder)
        do(folder)


def tries(home: Path) -> Iterator[Try]:
    rng = random.Random(0)
    for _ in range(200):
        for name, (start, do, events) in verbs(home).items():
            at = rng.randint(1, events)
            before = None if start is None else home / start / "made"
            yield Try(f"`{name}` killed, run again", f"at {at}", partial(same, before, do, home / name / "made", at))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        os.environ["XETRIEVAL_CACHE"] = str(home / "cache")
        in_child(lambda: given(home))
        warm(lambda: [do(home / "warm" / name) for name, (start, do, _) in verbs(home).items() if start is None])
        carry_out("kills", tries(home))
