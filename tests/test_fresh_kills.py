"""What a killed process leaves is removed by the next one, and what a living one writes is not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cases_data import accepted, run
from conftest import random_explainer
from index_data import build_small

from xetrieval import open_index
from xetrieval.errors import DamagedError
from xetrieval.files import new_folder, replacing, scratch, write_text


def killed(act: Callable[[], object]) -> None:
    """Run `act` in a child, which it has to kill."""
    child = os.fork()
    if child == 0:
        act()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def aged(folder: Path) -> list[str]:
    """The hidden names in a folder, made a minute older."""
    names = sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
    for name in names:
        os.utime(folder / name, (time.time() - 60,) * 2)
    return names


def dies_in_a_file(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"half")
        file.flush()
        die()


def dies_in_a_folder(path: Path) -> None:
    with new_folder(path) as folder:
        write_text(folder / "half", "half")
        die()


@pytest.mark.parametrize("without_locks", [False, True])
def test_the_next_write_removes_what_a_kill_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_locks: bool
) -> None:
    if without_locks:
        monkeypatch.setattr(scratch, "fcntl", None)
        monkeypatch.setattr(scratch, "UNHELD", 30.0)
    killed(lambda: dies_in_a_file(tmp_path / "out.jsonl"))
    killed(lambda: dies_in_a_folder(tmp_path / "folder"))
    (tmp_path / ".out.jsonl.not-ours.xetrieval").touch()
    (tmp_path / ".out.json.01234567.xetrieval").touch()  # of another target
    assert len(aged(tmp_path)) == 4
    write_text(tmp_path / "out.jsonl", "whole")
    with new_folder(tmp_path / "folder") as folder:
        write_text(folder / "whole", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".out.json.01234567.xetrieval",
        ".out.jsonl.not-ours.xetrieval",
        "folder",
        "out.jsonl",
    ]
    assert (tmp_path / "out.jsonl").read_text() == "whole"


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with replacing(path) as file, new_folder(tmp_path / "folder") as folder:
        file.write(b"slow")
        file.flush()
        assert len(aged(tmp_path)) == 2
        write_text(path, "quick")
        with new_folder(tmp_path / "folder2") as other:
            write_text(other / "a", "b")
        scratch.sweep_beside(tmp_path / "folder")
        assert folder.is_dir()
    assert path.read_bytes() == b"slow"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "folder2", "out"]


def test_explain_of_a_file_leaves_nothing_after_a_kill_and_a_second_run(tmp_path: Path) -> None:
    explainer, pairs, output = tmp_path / "ex", tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    random_explainer().save(explainer)
    pairs.write_text('{"query": "salt", "doc": "salt water"}\n' * 3)
    killed(lambda: dies_in_a_file(output))
    assert aged(tmp_path)
    accepted(run("explain", "--input", str(pairs), "--output", str(output), "-x", str(explainer)))
    assert len(output.read_text().splitlines()) == 3
    assert not aged(tmp_path)


@pytest.mark.parametrize("name", ["original.features.u16", "original.values.f32", "postings.values.f32", "vectors.f32"])
def test_a_file_of_zeros_is_damage(tmp_path: Path, name: str) -> None:
    """As a power cut may leave it; features and activations of zeros were explained without a word."""
    index = build_small(tmp_path, 40)
    for file in index.glob(f"shards/*/{name}"):
        file.write_bytes(bytes(file.stat().st_size))
    opened = open_index(index)
    mode = {"postings.values.f32": "sparse"}.get(name, "dense")
    with pytest.raises(DamagedError, match="restore"):
        str([hit.explanation for hit in opened.search("word1 word2 word3", k=40, by=mode)])
