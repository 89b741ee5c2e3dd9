"""The cases of tests/cases: small inputs that must be read rightly or refused; its README says what must come out."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from test_cli import Done, run

CASES = Path(__file__).parent / "cases"
CORPUS, FOLDER = CASES / "corpus", CASES / "folder"
QUERY, DOCUMENT, SCORE = "How Does BREAD Rise", "YEAST Makes BREAD Rise.", 0.7905  # the score by MiniLM
SNAPSHOT = "snapshots/3fae5c0d9b1f4e5a8c7d2b6e5f40a1b2c3d4e5f6"
SMALL_FIT = ("-F", "16", "--l0", "4", "--inference-l0", "4")


def made(kind: str, folder: Path) -> Path:
    """What cases/make/KIND.py writes, in `folder`/KIND; made once in a folder."""
    target = folder / kind
    if not target.exists():
        done = subprocess.run(
            [sys.executable, CASES / "make" / f"{kind}.py", target], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
    return target


def refused(done: Done, *words: str) -> str:
    """Exit code 2, at most a few lines in words, no traceback; every one of `words` is in the last line."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert lines, "refused without a word"
    assert lines[-1].startswith("xetrieval: "), lines
    assert len(lines[-1]) < 600, "a refusal is one short line"
    for word in words:
        assert word in lines[-1], (word, lines[-1])
    return lines[-1]


def accepted(done: Done) -> Done:
    """Exit code 0."""
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done


@contextmanager
def models_loaded_once() -> Iterator[None]:
    """Every sentence-transformers model is loaded once in the block: the commands stay what they are, only quicker."""
    import sentence_transformers

    load = functools.cache(sentence_transformers.SentenceTransformer)

    def loaded(*given: Any, **options: Any) -> Any:
        return load(*given, **options)

    with mock.patch.object(sentence_transformers, "SentenceTransformer", loaded):
        yield


__all__ = ["CASES", "Done", "accepted", "made", "models_loaded_once", "refused", "run"]


def explained(*more: object, query: str = QUERY, document: str = DOCUMENT) -> Done:
    """`xetrieval explain` of the pair of these cases, as JSON."""
    return run("explain", query, document, "--format", "json", *more)


def score(done: Done) -> float:
    """The score that `explained` printed."""
    return float(json.loads(accepted(done).stdout)["score"])


def evaluate(home: Path, folder: Path, *options: object) -> Done:
    """`xetrieval evaluate retrieval` of a benchmark folder, as JSON."""
    return run("evaluate", "retrieval", "--data", folder, "--cache", home / "cache", "--format", "json", *options)
