"""An index: built whole or gone on with, and changed without readers noticing half of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import SMALL, build_small, content, records, write_corpus

from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.explain import Explanation
from xetrieval.files import alone
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.verify import verify_index

COUNT = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("index"), COUNT)


@pytest.fixture
def index(folder: Path) -> Index:
    return open_index(folder)


# ---------------------------------------------------------------------- build


def test_an_index_holds_what_its_documents_encode_to(index: Index) -> None:
    rows = np.array([130, 3, 64, 63, 199])
    texts = [index.document(int(row)).text for row in rows]
    z = index.explainer.encoder.encode_document(texts)
    np.testing.assert_allclose(index.vectors(rows), z, atol=1e-7)
    for place, (view, wanted) in enumerate(zip(index.manifest.views, index.explainer.codes(z), strict=True)):
        stored = index.codes(rows, view).dense(128)
        tolerance = 1e-6 if place == 0 else 2e-3
        np.testing.assert_allclose(stored, wanted.dense(128), atol=tolerance)
        np.testing.assert_array_equal(stored > 0, wanted.dense(128) > 0)
    assert index.document(3).metadata == {"site": "ai", "tags": ["t3", "all"], "n": 3}
    assert index.row_of("d64") == 64
    assert len(index) == COUNT
    assert index.fields == ["n", "site", "tags"]


def test_postings_are_the_codes_by_feature(index: Index) -> None:
    dense = index.codes(np.arange(COUNT), "original").dense(128)
    np.testing.assert_array_equal(index.frequency, (dense > 0).sum(axis=0))
    for feature in (0, 17, 127):
        rows, values = index.postings(feature)
        np.testing.assert_array_equal(rows, np.flatnonzero(dense[:, feature]))
        np.testing.assert_array_equal(values, dense[rows, feature])


@pytest.mark.slow
def test_a_build_killed_at_any_point_goes_on_to_the_same_index(tmp_path: Path) -> None:
    """At 20 random points of its work on files, each time until one build comes through, then once more."""
    script = Path(__file__).with_name("index_data.py")
    done = subprocess.run([sys.executable, script, tmp_path, "20"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the same index each time" in done.stdout


def test_nothing_is_encoded_twice_beyond_the_last_block(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(100)),))
    explainer, seen = random_explainer(), []

    class Failing:
        identity = explainer.encoder_identity

        def encode_query(self, texts: list[str]) -> np.ndarray:
            return explainer.encoder.encode_query(texts)

        def encode_document(self, texts: list[str]) -> np.ndarray:
            if len(seen) == 75 - 75 % 16:
                seen.append("stopped")
                raise KeyboardInterrupt
            seen.extend(texts)
            return explainer.encoder.encode_document(texts)

    failing = replace(explainer, cache=False).with_encoder(Failing())
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, failing, tmp_path / "index", SMALL)
    with pytest.raises(InputError, match="is unfinished"):
        open_index(tmp_path / "index")
    build_index(corpus, failing, tmp_path / "index", SMALL)
    assert len(seen) == 101
    assert len(open_index(tmp_path / "index")) == 100


@pytest.mark.slow
def test_memory_stays_flat_as_the_corpus_grows(tmp_path: Path) -> None:
    """Ten times the documents, the same peak within 20 %; in a process where nothing else keeps things."""
    script = Path(__file__).with_name("index_data.py")
    done = subprocess.run([sys.executable, script, tmp_path, "memory"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    small, large = map(int, done.stdout.split())
    assert large < 1.2 * small


def test_the_same_command_again_has_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    before = content(folder)
    corpus = Corpus((folder.parent / "corpus.jsonl",))
    again = build_index(corpus, random_explainer(), folder, SMALL)
    assert (again.added, again.updated, again.documents) == (0, 0, COUNT)
    assert content(folder) == before
    other = Corpus((write_corpus(tmp_path / "o.jsonl", records(3, seed=5)),))
    with pytest.raises(InputError, match="already contains an index"):
        build_index(other, random_explainer(), folder, SMALL)
    assert content(folder) == before


def test_a_corpus_that_changed_during_a_build_is_refused(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(100)),))
    explainer = random_explainer()

    def stop(stage: str, done: int, total: int, note: str) -> None:
        if stage == "index" and done >= 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, explainer, tmp_path / "index", SMALL, stop)
    write_corpus(tmp_path / "c.jsonl", records(100, seed=1))
    with pytest.raises(InputError, match="has changed since"):
        build_index(corpus, explainer, tmp_path / "index", SMALL)
    assert build_index(corpus, explainer, tmp_path / "index", replace(SMALL, restart=True)).documents == 100
    verify_index(tmp_path / "index")


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from xetrieval.index.build.writer import ShardWriter

    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(100)),))
    build_index(corpus, random_explainer(), tmp_path / "whole", SMALL)
    write, written = ShardWriter._write, []

    def full(self: ShardWriter, name: str, numbers: object) -> None:
        written.append(name)
        if len(written) > 40:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.folder / name))
        write(self, name, numbers)

    monkeypatch.setattr(ShardWriter, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    monkeypatch.undo()
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    assert content(tmp_path / "index") == content(tmp_path / "whole")


@pytest.mark.slow
def test_documents_of_one_word_and_of_a_million(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "long.txt").write_text("word1 word2 word3 word4. " * 250_000)
    (tmp_path / "texts" / "short.txt").write_text("word")
    corpus = Corpus((tmp_path / "texts",))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    assert len(index) == 5397
    assert index.document(index.row_of("short.txt")).text == "word"
    assert index.document(index.row_of("long.txt#5396")).end == 250_000 * 25 - 1
    write_corpus(tmp_path / "c.jsonl", [{"_id": "a", "text": "word " * 1_000_000}])
    with pytest.raises(InputError, match="longer than 4 MB; cut the text into passages"):
        build_index(Corpus((tmp_path / "c.jsonl",)), random_explainer(), tmp_path / "other", SMALL)


def test_two_writers_are_kept_apart(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(10)),))
    (tmp_path / "index").mkdir()
    with (
        alone(tmp_path / "index" / ".lock", ""),
        pytest.raises(InputError, match="another process is writing"),
    ):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([{"_id": "a", "text": "x"}, {"_id": "a", "text": "y"}], "duplicate document id 'a'"),
        ([{"text": "no id"}], "field '_id' is missing"),
        ([{"_id": "a", "text": " "}], "neither title nor text"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_refused_before_any_work(
    tmp_path: Path, lines: list[dict[str, object]], words: str
) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", lines),))
    with pytest.raises(InputError, match=words):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    assert not (tmp_path / "index").exists()


def test_vectors_that_exist_already_need_no_encoder(tmp_path: Path) -> None:
    z = 3 * unit(150)
    np.save(tmp_path / "v.npy", z)
    (tmp_path / "v.npy.ids.txt").write_text("".join(f"doc {i}\n" for i in range(150)))
    build_index(Corpus((), vectors=tmp_path / "v.npy"), random_explainer(), tmp_path / "index", SMALL)
    index = open_index(tmp_path / "index")
    np.testing.assert_allclose(index.vectors(np.arange(150)), z / 3, atol=1e-6)
    hit = index.search(z[7], 1)[0]
    assert (hit.doc_id, round(hit.score, 5)) == ("doc 7", 1.0)
    assert isinstance(hit.explanation, Explanation)


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (unit(150)[:, :32], "dimension is 32, expected 64"),
        (np.where(np.arange(150)[:, None] == 120, 0, unit(150)), "row 120 is zero"),
        (np.where(np.arange(150)[:, None] == 149, np.nan, unit(150)), "row 149 contains NaN"),
    ],
)
def test_vectors_that_cannot_be_used_leave_nothing_in_the_way(tmp_path: Path, vectors: np.ndarray, words: str) -> None:
    corpus = Corpus((), vectors=tmp_path / "v.npy")
    np.save(tmp_path / "v.npy", vectors)
    with pytest.raises(InputError, match=words):
        build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    np.save(tmp_path / "v.npy", unit(150))
    assert build_index(corpus, random_explainer(), tmp_path / "index", SMALL).added == 150


def test_vectors_in_parquet_are_read_once_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xetrieval.encoders import vector_files

    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    reads, read = [], vector_files._read_parquet

    def counted(path: Path, column: str | None) -> object:
        reads.append(path)
        return read(path, column)

    monkeypatch.setattr(vector_files, "_read_parquet", counted)
    rows = records(150)
    source, vectors = write_corpus(tmp_path / "c.jsonl", rows), tmp_path / "v.parquet"
    given = Corpus((source,), vectors=vectors)
    for number, z in enumerate((unit(150), unit(150, seed=9)), 1):
        parquet.write_table(arrow.table({"_id": [row["_id"] for row in rows], "vector": z.tolist()}), vectors)
        build_index(given, random_explainer(), tmp_path / f"{number}", replace(SMALL, force=True))
        assert len(reads) == number  # read again only where the file is another
        np.testing.assert_allclose(open_index(tmp_path / f"{number}").vectors(np.arange(150)), z, atol=1e-6)


# ---------------------------------------------------------------------- change


def test_documents_are_added_replaced_and_deleted(tmp_path: Path) -> None:
    rows = records(100)
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", rows),))
    explainer, target = random_explainer(), tmp_path / "index"
    build_index(corpus, explainer, target, SMALL)
    reader = open_index(target)
    rows[5]["text"], rows[6]["metadata"] = "something else entirely", {"site": "new"}
    write_corpus(tmp_path / "c.jsonl", [*rows[:50], *records(130)[120:]])
    built = build_index(corpus, explainer, target, replace(SMALL, adding=True))
    assert (built.added, built.updated, built.unchanged, built.documents) == (10, 2, 48, 110)
    assert reader.document(reader.row_of("d5")).text != "Title 5\nsomething else entirely"  # as it was when opened
    index = open_index(target)
    assert index.document(index.row_of("d5")).text == "Title 5\nsomething else entirely"
    assert index.row_of("d5") >= 100
    assert index.search("something else entirely", 1)[0].doc_id == "d5"
    assert [hit.doc_id for hit in index.search("word1", 20, filters={"site": ["new"]})] == ["d6"]
    assert delete_documents(target, ["d5", "d7"]) == 108
    index = open_index(target)
    found = {hit.doc_id for hit in index.search("something else entirely", 108)}
    assert len(found) == 108
    assert not {"d5", "d7"} & found
    with pytest.raises(InputError, match="no document 'd5'"):
        index.row_of("d5")
    with pytest.raises(InputError, match="nothing was deleted"):
        delete_documents(target, ["d9", "absent"])
    assert len(open_index(target)) == 108
    again = build_index(corpus, explainer, target, replace(SMALL, adding=True))
    assert (again.added, again.updated) == (2, 0)  # the two that were deleted
    verify_index(target)


def test_an_index_of_another_explainer_is_not_added_to(folder: Path, tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", records(3)),))
    other = replace(random_explainer(), sae=replace(random_explainer().sae, k=8))
    with pytest.raises(MismatchError, match="whose weights differ"):
        build_index(corpus, other, folder, replace(SMALL, adding=True))
    with pytest.raises(MismatchError, match="weights differ"):
        open_index(folder, other)


def test_any_damaged_byte_is_found(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    delete_documents(copy, ["d3"])
    assert verify_index(copy).files > 40
    files = [p for p in sorted(copy.rglob("*")) if p.is_file() and p.name != ".lock"]
    for path in files:
        whole = path.read_bytes()
        at = len(whole) // 2
        if path.suffix == ".sqlite":  # a letter of a stored text
            at = whole.index(b"word") + 1
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedError):
            verify_index(copy)
        path.write_bytes(whole)
    assert verify_index(copy).files > 40
    vectors = copy / "shards" / "000001" / "vectors.f32"
    vectors.write_bytes(vectors.read_bytes()[:-256])
    with pytest.raises(DamagedError, match="do not fit 64 vectors"):
        open_index(copy).search("word1")


def test_a_newer_format_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"format_version": 99}))
    with pytest.raises(DamagedError, match="format version 99"):
        open_index(tmp_path)
