"""Folders from strangers, each with one change and with hashes recomputed: refused with a message, or read."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from paper.studies.robustness.frame import Try, carry_out, command, refusal, warm
from paper.studies.robustness.given import QUERY, explainer, in_child, index
from xetrieval.files.manifest import sealed

VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 5, 1 << 60, 1.5, 1e300, "", "x", "../../x", [], [5], {}, {"x": 5}),
    *("\u001b[31mx\u0007", "x" * 100_000, [[[[]]]], {"qa": {"form": 5}}, ["original"]),
)
RAW = ('{"x": 1e999}', "[" * 100_000, "{", "", "[]", "5", '{"x": ' + "9" * 5000 + "}", '"\\ud800"', "\u0000")
SQL = (
    "UPDATE documents SET metadata='{'",
    "UPDATE documents SET metadata='" + "[" * 100_000 + "'",
    "UPDATE documents SET metadata='[]'",
    "UPDATE documents SET text=x'ff00'",
    "UPDATE documents SET text=zeroblob(300000000) WHERE row=0",
    "UPDATE documents SET title=5.5",
    "UPDATE documents SET unread='x'",
    "UPDATE documents SET parent=x'00'",
    "UPDATE documents SET row=row+1000000",
    "DROP TABLE documents",
    "DROP TABLE fields",
    "DROP INDEX pieces",
    "CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM documents; END",
    "CREATE VIEW v AS SELECT * FROM documents",
    "CREATE TABLE more (x)",
    "ALTER TABLE documents RENAME TO d2; CREATE VIEW documents AS WITH RECURSIVE r(x) AS "
    "(SELECT 1 UNION ALL SELECT x+1 FROM r) SELECT d2.* FROM d2, r",
)
ARRAYS: dict[str, Any] = {
    "NaN": lambda a: np.asarray(a * np.nan),
    "infinite": lambda a: np.full_like(a, np.inf),
    "transposed": lambda a: np.ascontiguousarray(a.T),
    "empty": lambda a: np.atleast_1d(a)[:0],
    "flat": lambda a: a.reshape(-1),
    "whole numbers": lambda a: np.zeros(a.shape, np.int64),
}


def run_all(folder: Path, *commands: tuple[object, ...]) -> str:
    """Every command answers or refuses, without an escape on the terminal."""
    for one in commands:
        code, out, errors = command(*one)
        if "\u001b]" in out + errors or "\u001b[31mx" in out + errors:
            return f"{one[0]}: an escape on the terminal"
        if code and (word := refusal(code, errors)) != "refused":
            return f"{one[0]}: {word}"
    return "right"


def on_explainer(folder: Path) -> str:
    return run_all(folder, ("info", folder), ("explain", QUERY, "word1 word5", "-x", folder))


def on_index(folder: Path) -> str:
    return run_all(folder, ("search", folder, QUERY), ("index", "info", folder), ("index", "verify", folder))


def rehash(folder: Path, config: dict[str, Any]) -> None:
    files = config.get("files")
    if isinstance(files, dict):
        for name in files:
            if (folder / str(name)).is_file() and Path(name).name == name:
                files[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "config.json").write_text(json.dumps(sealed(config) if "sha256" in config else config))


def changed(whole: Path, place: tuple[Any, ...], value: Any, ask: Any) -> str:
    with tempfile.TemporaryDirectory() as home:
        copy = Path(shutil.copytree(whole, Path(home) / "copy"))
        record = config = json.loads((copy / "config.json").read_text())
        for key in place[:-1]:
            record = record[key]
        record[place[-1]] = value
        rehash(copy, config)
        return str(ask(copy))


def raw(whole: Path, text: str, ask: Any) -> str:
    with tempfile.TemporaryDirectory() as home:
        copy = Path(shutil.copytree(whole, Path(home) / "copy"))
        (copy / "config.json").write_text(text)
        return str(ask(copy))


def weights(whole: Path, file: str, name: str, change: str) -> str:
    with tempfile.TemporaryDirectory() as home:
        copy = Path(shutil.copytree(whole, Path(home) / "copy"))
        arrays = load_file(copy / file)
        save_file({**arrays, name: ARRAYS[change](arrays[name])}, copy / file)
        rehash(copy, json.loads((copy / "config.json").read_text()))
        return on_explainer(copy)


def database(whole: Path, script: str) -> str:
    with tempfile.TemporaryDirectory() as home:
        copy = Path(shutil.copytree(whole, Path(home) / "copy"))
        path = sorted(copy.rglob("documents.sqlite"))[0]
        base = sqlite3.connect(path)
        base.executescript(script)
        base.commit()
        base.close()
        return on_index(copy)


def places(record: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field of a manifest, the first of a list alone; of files one."""
    for key, value in record.items():
        yield (*before, key)
        if isinstance(value, dict) and key != "files":
            yield from places(value, (*before, key))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from places(value[0], (*before, key, 0))


def tries(toy: Path, whole: Path) -> Iterator[Try]:
    for text in SQL:
        yield Try("a database", text[:60], partial(database, whole, text))
    for kind, folder, ask in (("explainer", toy, on_explainer), ("index", whole, on_index)):
        for text in RAW:
            yield Try(f"config.json of an {kind}", text[:30], partial(raw, folder, text, ask))
        for place in places(json.loads((folder / "config.json").read_text())):
            for value in VALUES:
                name = f"{'.'.join(map(str, place))} = {str(value)[:30]}"
                yield Try(f"a field of an {kind}'s config.json", name, partial(changed, folder, place, value, ask))
    for file in ("sae.safetensors", "internalizers.safetensors"):
        for name in load_file(toy / file):
            for change in ARRAYS:
                yield Try("weights of an explainer", f"{name}: {change}", partial(weights, toy, file, name, change))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        in_child(lambda: explainer().save(Path(home) / "toy"))
        toy, whole = Path(home) / "toy", index(Path(home), 70)
        warm(lambda: (on_explainer(toy), on_index(whole)))
        drawn = list(tries(toy, whole))
        random.Random(0).shuffle(drawn)  # the time may end before they do
        carry_out("folders of strangers", drawn)
