"""Files, pipes and streams as strangers and accidents leave them: the right answer, or words."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from cases_data import refused, run
from conftest import unit

from xetrieval.cli import console
from xetrieval.encoders import CachedEncoder
from xetrieval.encoders.hashing import HashingEncoder
from xetrieval.errors import DamagedError, InputError
from xetrieval.files import check_apart, check_file, check_new_folder, read_bytes, write_bytes
from xetrieval.index.store.ours import check_ours
from xetrieval.steer.profile import SteeringProfile

TEXTS = ["a piano concert", "the law of taxes"]


@pytest.fixture
def cache(tmp_path: Path) -> CachedEncoder:
    made = CachedEncoder(HashingEncoder(), tmp_path / "cache")
    made.encode_document(TEXTS)
    return made


def changed(cache: CachedEncoder, *statements: tuple[str, tuple[object, ...]]) -> None:
    db = sqlite3.connect(cache.path("document"))
    for statement, values in statements:
        db.execute(statement, values)
    db.commit()
    db.close()


@pytest.mark.parametrize("column", ["vector", "unread", "unknown", "tokens", "seal"])
@pytest.mark.parametrize("value", [b"", "text", 5, np.full(64, np.nan, np.float32).tobytes(), np.ones(64).tobytes()])
def test_a_changed_row_of_the_cache_is_refused(cache: CachedEncoder, column: str, value: object) -> None:
    changed(cache, (f"UPDATE vectors SET {column} = ?", (value,)))
    with pytest.raises(DamagedError, match="damaged; delete it"):
        cache.encode_document(TEXTS)


def test_every_flipped_bit_of_a_vector_in_the_cache_is_found(cache: CachedEncoder) -> None:
    path = cache.path("document")
    whole, kept = path.read_bytes(), cache.encode_document(TEXTS)
    start = whole.find(kept[0].tobytes())
    assert start > 0
    for place in range(start, start + kept[0].nbytes, 17):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(DamagedError, match="damaged"):
            cache.encode_document(TEXTS)
    path.write_bytes(whole)
    np.testing.assert_array_equal(cache.encode_document(TEXTS), kept)


def test_vectors_of_two_texts_exchanged_in_the_cache_are_refused(cache: CachedEncoder) -> None:
    db = sqlite3.connect(cache.path("document"))
    (first, one), (second, other) = db.execute("SELECT text_sha256, vector FROM vectors").fetchall()
    db.close()
    update = "UPDATE vectors SET vector = ? WHERE text_sha256 = ?"
    changed(cache, (update, (other, first)), (update, (one, second)))
    with pytest.raises(DamagedError, match="damaged"):
        cache.encode_document(TEXTS)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW vectors AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x AS "
        "text_sha256, x AS vector, x AS unread, x AS unknown, x AS tokens, x AS seal FROM r",
        "CREATE TRIGGER other AFTER INSERT ON old BEGIN DELETE FROM old; END",
    ],
)
def test_a_cache_with_tables_that_are_not_ours_is_refused_at_once(cache: CachedEncoder, statement: str) -> None:
    changed(cache, ("ALTER TABLE vectors RENAME TO old", ()), (statement, ()))
    with pytest.raises(DamagedError, match="unexpected tables"):
        cache.encode_document(TEXTS)


def test_a_damaged_letter_in_the_tables_of_the_cache_is_refused(cache: CachedEncoder) -> None:
    path = cache.path("document")
    whole = path.read_bytes()
    start = whole.find(b"CREATE TABLE vectors")
    assert start > 0
    for place in range(start, start + 100):
        flipped = bytearray(whole)
        flipped[place] ^= 0x80
        path.write_bytes(flipped)
        with pytest.raises(DamagedError, match="is damaged"):
            cache.encode_document(TEXTS)


def test_a_cache_that_is_a_pipe_or_a_folder_is_refused(cache: CachedEncoder) -> None:
    path = cache.path("document")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="must be a file"):
        cache.encode_document(TEXTS)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(InputError, match="must be a file"):
        cache.encode_document(TEXTS)


def test_an_output_that_is_the_input_is_refused(tmp_path: Path) -> None:
    source, link = tmp_path / "pairs.jsonl", tmp_path / "link"
    source.write_text("{}")
    link.symlink_to(source)
    for output in (source, link):
        with pytest.raises(InputError, match="that is the input"):
            check_apart(output, None, source)
    check_apart(tmp_path / "new", source, tmp_path / "missing")


def test_pipes_without_another_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.files.atomic.PATIENCE", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="nobody reads from this pipe"):
        write_bytes(pipe, b"x")
    with pytest.raises(InputError, match="nobody writes to this pipe"):
        SteeringProfile.load(pipe, None)  # type: ignore[arg-type]  # it never comes to that
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(pipe, b"read")
    assert os.read(reader, 10) == b"read"
    os.close(reader)


def test_a_folder_is_not_written_to_standard_output_nor_a_file_to_a_loop(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="standard output"):
        check_new_folder(Path("-"))
    with pytest.raises(InputError, match="standard output"):
        check_ours(Path("-"))
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(InputError, match="leads back to itself"):
        check_file(loop)


def test_closed_streams_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    with pytest.raises(InputError, match="standard input is closed"):
        read_bytes(Path("-"))
    console.use_utf8()
    console.print_message("to nobody")
    with pytest.raises(OSError, match="standard output is closed"):
        console.write(json.dumps({}))
    with pytest.raises(OSError, match="standard output is closed"):
        console.output_console().print("x")
    with pytest.raises(OSError, match="standard output is closed"):
        write_bytes(Path("-"), b"x")


def test_ctrl_c_before_the_command_began(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setattr("sys.argv", ["xetrieval", "info"])
    monkeypatch.setattr("xetrieval.cli.app.app", interrupted)
    from xetrieval.cli import main

    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert "interrupted" in written.getvalue()


def test_a_cache_that_is_a_file_and_a_figure_that_is_a_folder_are_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "c.jsonl").write_text('{"_id": "a", "text": "bread"}\n')
    np.save(tmp_path / "v.npy", unit(64))
    build = ("index", "build", tmp_path / "c.jsonl", "--output", tmp_path / "ix", "--cache", tmp_path / "file")
    refused(run(*build), "--cache", "not a folder")
    train = ("sae", "train", tmp_path / "v.npy", "--output", tmp_path / "s", "-F", 16, "--l0", 2)
    refused(run(*train, "--plot", tmp_path / "folder"), "that is a folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.jsonl", "file", "folder", "v.npy"]
