"""Command lines with bad values: every option of every command below, one value at a time, in a seeded order."""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import filelock  # noqa: F401
import numpy as np
import rich.markdown  # what a command loads is loaded once, before the tries fork
import rich.table  # noqa: F401
import safetensors.numpy  # noqa: F401
import typer.main

import xetrieval.cli.clean
import xetrieval.cli.output
import xetrieval.evaluate.doctor
import xetrieval.evaluate.suggest
import xetrieval.fitting.pipeline
import xetrieval.index.ask.report
import xetrieval.index.ask.tables
import xetrieval.render.page
import xetrieval.teachers  # noqa: F401
from paper.studies.robustness.frame import Try, carry_out, command, refusal
from paper.studies.robustness.given import QUERY, corpus, explainer, in_child, index
from xetrieval.cli.app import app

VALUES = (
    *("", " ", "-1", "0", "1e999", "nan", "-inf", "99999999999999999999", "9" * 5000, "x" * 20_000, "1=nan"),
    *("1=" + "9" * 5000, "\x1b]0;x\x07\u202e", "../../etc/passwd", "/dev/null", "/proc/self/mem", "no/such/file"),
    *("[bold]", "{", "ü" * 300, "--"),
)
HARM = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
LONG = {"epochs", "features", "limit", "notes", "name"}  # options of `fit` whose valid values start long work


def base(home: Path) -> dict[tuple[str, ...], list[object]]:
    """Commands; each attempt adds one option with one value. `fit` and `sae train` name files that do not exist."""
    ix, ex, replay = home / "index", home / "explainer", f"replay:{home / 'answers.jsonl'}"
    return {
        ("explain",): ["red apple", "an apple is red", "-x", ex],
        ("search",): [ix, QUERY],
        ("why",): [ix, QUERY, "d1"],
        ("doctor",): [ix],
        ("info",): [ex],
        ("features",): [ex],
        ("steer", "apply"): [ix, QUERY, "--set", "3=0"],
        ("steer", "suggest"): [ix, "--output", home / "profile.json"],
        ("index", "build"): [home / "more.jsonl", "--output", home / "new", "-x", ex],
        ("index", "add"): [ix, home / "more.jsonl"],
        ("index", "info"): [ix],
        ("index", "report"): [ix],
        ("index", "delete"): [ix],
        ("fit",): [home / "none.jsonl", "--encoder", "hashing", "--output", home / "fitted"],
        ("teach",): [home / "more.jsonl", "--output", home / "texts.jsonl", "--dry-run", "--llm", replay],
        ("sae", "train"): [home / "none.npy", "--output", home / "sae"],
    }


def options(path: tuple[str, ...]) -> list[tuple[str, bool]]:
    """(the longest name of an option, whether it takes a value)."""
    found = typer.main.get_command(app)
    for name in path:
        found = found.commands[name]  # type: ignore[attr-defined]
    named = [p for p in found.params if p.opts and p.opts[0].startswith("-")]
    return [(max(p.opts, key=len), not getattr(p, "is_flag", False)) for p in named]


def tried(home: Path, path: tuple[str, ...], given: list[object], more: list[str]) -> str:
    os.chdir(home)
    os.environ["XETRIEVAL_CACHE"] = str(home / "cache")
    code, out, err = command(*path, *given, *more)
    if HARM.search(out + err):
        return "a control character reached the terminal"
    if code == 0:
        return "right" if not re.search(r"\b(nan|inf|Infinity)\b", out) else f"no number: {out[:200]}"
    return refusal(code, err) if code != 3 else "right"


def tries(home: Path) -> Iterator[Try]:
    every = []
    for path, given in base(home).items():
        for option, takes in options(path):
            for value in VALUES if takes else ("",):
                if path == ("fit",) and option.strip("-") in LONG:
                    continue
                more = [option, value] if takes else [option]
                kind = f"`{' '.join(path)}`, one option with a bad value"
                every.append(Try(kind, f"{option} {value[:40]!r}", partial(tried, home, path, given, more)))
        for value in VALUES:
            name = f"an argument more: {value[:40]!r}"
            every.append(Try(f"`{' '.join(path)}`, a bad argument", name, partial(tried, home, path, given, [value])))
    random.Random(0).shuffle(every)
    yield from every


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)

        def make() -> None:
            explainer().save(where / "explainer")
            (where / "answers.jsonl").write_text('{"prompt": "x", "answer": "y"}\n')
            np.save(where / "q.npy", np.ones((1, 64), np.float32))

        in_child(make)
        index(where, 60)
        corpus(where / "more.jsonl", 3, "m")
        carry_out("command lines", tries(where))
