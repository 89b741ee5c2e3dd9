"""A disk that is full, or a file that may not grow: words, and nothing that is not whole is kept."""

from __future__ import annotations

import json
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import unit
from index_data import build_small, write_corpus

from xetrieval import open_index
from xetrieval.encoders import CachedEncoder, HashingEncoder
from xetrieval.errors import DamagedError, NotKeptWarning
from xetrieval.files import check_written
from xetrieval.fitting import reasoned
from xetrieval.fitting.reasoned import reasoned_rows
from xetrieval.index.search.bm25 import SEAL
from xetrieval.index.store.sealed import write_seal

pytest.importorskip("bm25s", reason='pip install "xetrieval[index]"')


def limited(limit: int, *arguments: str) -> tuple[int, str]:
    """Exit code and the end of standard error of a command whose files may have `limit` bytes."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        done = run(*arguments)
        os.write(writes, json.dumps([done.returncode, done.stderr[-2000:]]).encode())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as file:
        code, errors = json.loads(file.read())
    os.waitpid(child, 0)
    return code, errors


def test_words_that_did_not_fit_are_not_kept(tmp_path: Path) -> None:
    index = build_small(tmp_path, 60)
    search = ("search", str(index), "word1 word2", "--by", "bm25", "--format", "json")
    wanted = accepted(run(*search)).stdout
    home = next(path for path in index.glob("bm25-*") if path.is_dir())
    sizes = [path.stat().st_size for path in home.glob("*.npy")]
    assert sizes
    for limit in (size - less for size in sizes for less in (1, 60)):
        shutil.rmtree(home, ignore_errors=True)
        code, errors = limited(limit, *search)
        assert code in (0, 2), errors
        assert "Traceback" not in errors
        assert accepted(run(*search)).stdout == wanted
    assert not [path.name for path in index.iterdir() if path.name.startswith(".bm25")]


def test_words_that_cannot_be_read_are_damage(tmp_path: Path) -> None:
    index = build_small(tmp_path, 20)
    search = ("search", str(index), "word1 word2", "--by", "bm25")
    accepted(run(*search))
    home = next(path for path in index.glob("bm25-*") if path.is_dir())
    data = next(home.glob("data*.npy"))
    data.write_bytes(data.read_bytes()[:-4])
    (home / SEAL).unlink()
    write_seal(home / SEAL, sorted(home.iterdir()))
    refused(run(*search), "cannot be read", "remove it")
    with pytest.raises(DamagedError):
        open_index(index).search("word1", by="bm25")
    shutil.rmtree(home)
    accepted(run(*search))


def test_a_short_file_of_numpy_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(100))
    check_written(path)
    for size in (path.stat().st_size - 1, 100, 5, 0):
        os.truncate(path, size)
        with pytest.raises(OSError, match="No space left"):
            check_written(path)


def test_rows_are_written_and_not_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a write is an error; a page of a mapped file that has no room ends the process."""
    monkeypatch.setattr(reasoned, "BLOCK", 100)
    vectors, path, sizes = unit(500), tmp_path / "views-x.npy", list[int]()
    found = reasoned_rows(vectors, {}, path, lambda *_: sizes.append(path.with_suffix(".partial").stat().st_size))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    np.testing.assert_array_equal(found[:, 0], vectors.astype(np.float16))


def test_a_file_of_faiss_that_did_not_fit_is_not_kept(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    index = build_small(tmp_path, 60)
    code, errors = limited(4096, "index", "accelerate", str(index), "faiss")
    assert code == 2, errors
    assert errors.startswith("xetrieval: "), errors
    assert errors.endswith(".index: faiss cannot write it (File too large)\n"), errors
    assert not list(index.glob("*faiss*"))
    accepted(run("index", "verify", str(index)))


def test_a_disk_that_is_full_is_named_with_the_file(tmp_path: Path) -> None:
    index = build_small(tmp_path, 60)
    code, errors = limited(1024, "search", str(index), "word1 word2", "--by", "bm25")
    assert code == 2, errors
    assert errors.startswith(f"xetrieval: {index}/bm25-000001: "), errors
    write_corpus(tmp_path / "more.jsonl", [{"_id": "new", "text": "a new text"}])
    for limit in (1024, 20_000):
        code, errors = limited(limit, "index", "add", str(index), str(tmp_path / "more.jsonl"), "--encoder", "hashing")
        assert code == 2, errors
        assert "opened" not in errors
    accepted(run("index", "verify", str(index)))


def test_a_cache_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    index = build_small(tmp_path, 60)
    question = ("why", str(index), "word1 word2", "d3", "--format", "json")
    wanted = accepted(run(*question)).stdout
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (1024, 8192, 16_384):
        encoder = CachedEncoder(HashingEncoder(), tmp_path / f"cache{limit}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.warns(NotKeptWarning, match="going on without it") as warned:
                vectors = encoder.encode_query([f"a text {i}" for i in range(20)])
            encoder.encode_query(["one more"])
            encoder.token_vectors("one more", "query")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len(warned) == 1
        np.testing.assert_array_equal(vectors[3:4], HashingEncoder().encode_query(["a text 3"]))
    assert accepted(run(*question)).stdout == wanted
