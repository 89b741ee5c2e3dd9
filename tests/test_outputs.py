"""Where output goes: pipes, links, devices, permissions, standard input and output."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from cases_data import Done, accepted, refused, run
from conftest import random_explainer, random_sae, unit
from index_data import records, write_corpus

from xetrieval.files import write_bytes


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("given")
    random_explainer(cache=True).save(home / "toy")
    random_sae().save(home / "dictionary")
    write_corpus(home / "corpus.jsonl", records(40))
    np.save(home / "v.npy", unit(60))
    toy, examples = home / "toy", home / "seen"
    accepted(run("label", "examples", toy, home / "corpus.jsonl", "--output", examples, "--sentences", 1))
    accepted(run("label", "export", toy, "--examples", examples, "--output", home / "sheet.csv"))
    return home


def explained(*arguments: object) -> Done:
    return accepted(run("explain", "bread", "yeast", *arguments, "--format", "json"))


@pytest.fixture
def toy(given: Path) -> tuple[object, ...]:
    return ("-x", given / "toy")


def test_a_pipe_is_written_through(toy: tuple[object, ...], tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    explained(*toy, "--output", pipe)
    reader.join(10)
    assert json.loads(got[0])["score"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_and_its_file_is_replaced(toy: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.json").write_text("old")
    (tmp_path / "real" / "x.json").chmod(0o640)
    (tmp_path / "link").symlink_to("real/x.json")
    explained(*toy, "--output", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real" / "x.json").read_text())["score"]
    assert stat.S_IMODE((tmp_path / "real" / "x.json").stat().st_mode) == 0o640


@pytest.mark.slow
@pytest.mark.parametrize("device", ["/dev/null", "/dev/stdout"])
def test_a_device_is_written_through(toy: tuple[object, ...], tmp_path: Path, device: str) -> None:
    command = [sys.executable, "-m", "xetrieval", "explain", "bread", "yeast", *map(str, toy), "--format", "json"]
    with (tmp_path / "out").open("w") as out:
        out.write("before\n")
        out.flush()
        done = subprocess.run([*command, "--output", device], stdout=out, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert Path(device).exists()
    assert not Path(device).is_file() or Path(device).is_symlink()
    if device == "/dev/stdout":
        before, line = (tmp_path / "out").read_text().splitlines()
        assert before == "before"
        assert json.loads(line)["score"]


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_the_umask_decides(toy: tuple[object, ...], tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        explained(*toy, "--output", tmp_path / "x.json")
        random_explainer().save(tmp_path / "made")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == mode | (mode & 0o444) >> 2
    assert stat.S_IMODE((tmp_path / "made" / "config.json").stat().st_mode) == mode


def test_a_full_disk_says_where() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_bytes(Path("/dev/full"), b"x" * (1 << 20))


def with_input(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_document_comes_from_standard_input(toy: tuple[object, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    with_input(monkeypatch, "an apple is red\n")
    read = accepted(run("explain", "red apple", "-", *toy, "--format", "json"))
    typed = accepted(run("explain", "red apple", "an apple is red", *toy, "--format", "json"))
    assert json.loads(read.stdout)["score"] == json.loads(typed.stdout)["score"]
    with_input(monkeypatch, "")
    refused(run("explain", "red apple", "-", *toy), "document 1 is empty")


def test_pairs_come_from_standard_input_and_go_to_standard_output(
    toy: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = "".join(json.dumps({"query": f"q{n}", "doc": "an apple", "doc_id": f"d{n}"}) + "\n" for n in range(2))
    (tmp_path / "pairs.jsonl").write_text(pairs)
    wanted = ["d0", "d1"]
    for source in (("--input", tmp_path / "pairs.jsonl"), ("--input", "-")):
        for target in ((), ("--output", "-")):
            with_input(monkeypatch, pairs)
            done = accepted(run("explain", *source, *target, *toy))
            assert [json.loads(line)["doc_id"] for line in done.stdout.splitlines()] == wanted
            assert "2 pairs explained" in done.stderr
    with_input(monkeypatch, pairs + "{\n")
    line = refused(run("explain", "--input", "-", *toy), "standard input, line 3")
    assert "/tmp" not in line
    with_input(monkeypatch, pairs + "{\n")
    done = accepted(run("explain", "--input", "-", "--skip-bad", *toy))
    assert len(done.stdout.splitlines()) == 2
    assert "1 row was left out" in done.stderr
    assert "standard input, line 3" in done.stderr
    assert not list(tmp_path.glob("*.bad.jsonl"))


def test_an_index_is_built_from_standard_input_and_from_a_pipe(
    given: Path, toy: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = (given / "corpus.jsonl").read_text()
    with_input(monkeypatch, corpus)
    assert "40 added" in accepted(run("index", "build", "-", *toy, "--output", tmp_path / "one")).stderr
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(corpus))
    writer.start()
    assert "40 added" in accepted(run("index", "build", tmp_path / "pipe", *toy, "--output", tmp_path / "two")).stderr
    writer.join(10)


def test_two_pipes_of_one_name_are_two_corpora(
    toy: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipes, writers = [], []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pipes.append(tmp_path / name / "pipe")
        os.mkfifo(pipes[-1])
        content = json.dumps({"_id": name, "text": f"apple {name}"}) + "\n{\n"
        writers.append(threading.Thread(target=pipes[-1].write_text, args=(content,)))
        writers[-1].start()
    with_input(monkeypatch, '{"_id": "c", "text": "pear"}\n\n{\n')
    built = run("index", "build", "-", *pipes, *toy, "--output", tmp_path / "ix", "--skip-bad")
    for writer in writers:
        writer.join(10)
    assert "3 added" in accepted(built).stderr
    assert "standard input, line 3" in built.stderr
    rows = [json.loads(line) for line in (tmp_path / "ix.bad.jsonl").read_text().splitlines()]
    assert [(row["file"], row["line"]) for row in rows] == [("standard input", 3), *((str(pipe), 2) for pipe in pipes)]


def test_a_list_of_bad_lines_takes_nobodys_place(toy: tuple[object, ...], tmp_path: Path) -> None:
    good, bad = '{"query": "q", "doc": "d"}\n', "{\n"
    (tmp_path / "out.jsonl.bad.jsonl").write_text("mine\n")
    for content, lists in ((good, ["out.jsonl.bad.jsonl"]), (good + bad, ["out.jsonl.bad-2.jsonl"]), (good, [])):
        (tmp_path / "in.jsonl").write_text(content)
        accepted(
            run("explain", "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl", "--skip-bad", *toy)
        )
        for name in lists:
            assert (tmp_path / name).is_file()
        assert (tmp_path / "out.jsonl.bad.jsonl").read_text() == "mine\n"
