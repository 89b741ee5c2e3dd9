"""Compacting an index: the same answers, and nothing of what was deleted or replaced in any file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases_data import accepted, refused, run
from conftest import random_explainer
from hypothesis import given, settings
from hypothesis import strategies as st
from index_data import SMALL, build_small, content, records, write_corpus

from xetrieval.configs import ChunkConfig
from xetrieval.errors import InputError
from xetrieval.index import Corpus, Index, build_index, open_index
from xetrieval.index.build.compact import compact_index
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.build.verify import verify_index
from xetrieval.index.search.nearest import accelerate
from xetrieval.index.store.layout import BUILDING
from xetrieval.registry import SEARCH_ENGINES

SECRET = "zanzibarite"
QUERIES = ("word1 word2", "word7", "word30 word31 word32")


def add(folder: Path, rows: list[dict[str, Any]], chunking: ChunkConfig | None = None) -> None:
    corpus = Corpus((write_corpus(folder.parent / "more.jsonl", rows),), chunking)
    build_index(corpus, random_explainer(), folder, replace(SMALL, adding=True))


def changed(home: Path, count: int = 200) -> Path:
    """An index in four shards, two of which hold the secret in deleted, replaced and cut documents."""
    folder = build_small(home, count)
    secret = [{**r, "text": f"{SECRET} {r['text']}", "metadata": {"note": SECRET, SECRET: 1}} for r in records(20)]
    add(folder, [{**one, "_id": f"s{i}"} for i, one in enumerate(secret)])
    long = " ".join(f"The {SECRET} number {i} stands in this very sentence." for i in range(12))
    add(folder, [{"_id": "long", "text": long}], ChunkConfig(16))
    delete_documents(folder, [f"s{i}" for i in range(15)] + ["d3", "d64", "d65"])
    add(folder, [{**one, "_id": f"s{i + 15}"} for i, one in enumerate(records(5, seed=7))])
    add(folder, [{"_id": "long", "text": "A short page now."}], ChunkConfig(16))
    return folder


def answers(index: Index, query: str, by: str, filters: Any = None) -> list[tuple[str, float]]:
    if by == "concept":
        query = '"label 3" OR #8^2 NOT "label 5"'
    return [(hit.doc_id, hit.score) for hit in index.search(query, len(index), by, filters=filters)]


def assert_same(first: list[tuple[str, float]], second: list[tuple[str, float]]) -> None:
    np.testing.assert_allclose([score for _, score in first], [score for _, score in second], atol=2e-6)
    scores = dict(second)
    assert dict(first).keys() == scores.keys()
    for name, score in first:
        assert scores[name] == pytest.approx(score, abs=2e-6)


def everywhere(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.slow
def test_answers_stay_and_what_was_deleted_is_in_no_file(tmp_path: Path) -> None:
    folder = changed(tmp_path)
    accelerate(open_index(folder), "quantised")
    reader = open_index(folder)
    modes = ("dense", "sparse", "bm25", "hybrid", "concept")
    before = {(query, by): answers(reader, query, by) for query in QUERIES for by in modes}
    filtered = answers(reader, "word1", "dense", ["n>50", "tags~t1"])
    documents = {hit.doc_id: replace(hit.document, row=0) for hit in reader.search("word1", 500)}
    frequency = reader.frequency.copy()
    assert SECRET.encode() in everywhere(folder)
    done = compact_index(folder, shard_rows=64)
    assert done.removed == reader.manifest.deleted.rows > 0
    assert done.documents == len(reader)
    assert done.bytes_after < done.bytes_before
    assert SECRET.encode() not in everywhere(folder)
    index = open_index(folder)
    assert len(index.manifest.shards) == 4
    assert index.manifest.deleted.rows == 0
    assert index.manifest.generation == reader.manifest.generation + 1
    for (query, by), wanted in before.items():
        assert_same(answers(index, query, by), wanted)
    assert_same(answers(index, "word1", "dense", ["n>50", "tags~t1"]), filtered)
    assert {hit.doc_id: replace(hit.document, row=0) for hit in index.search("word1", 500)} == documents
    np.testing.assert_array_equal(index.frequency, frequency)
    assert_same([(hit.doc_id, hit.score) for hit in reader.search("word1 word2", 500)], before["word1 word2", "dense"])
    assert reader.document(reader.row_of("d100")).text == index.document(index.row_of("d100")).text
    verify_index(folder)
    again = content(folder)
    assert compact_index(folder, shard_rows=64).removed == 0
    assert content(folder) == again


def test_a_reader_of_before_leaves_no_words_behind(tmp_path: Path) -> None:
    """BM25 counts words at first use: a reader that opened the index before it was compacted keeps them to itself."""
    folder = changed(tmp_path, 80)
    reader = open_index(folder)
    compact_index(folder)
    assert answers(reader, "word1", "bm25")
    assert SECRET.encode() not in everywhere(folder)
    assert_same(answers(open_index(folder), "word1", "bm25"), answers(reader, "word1", "bm25"))


def test_shards_without_deleted_documents_are_not_written_anew(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 200)
    delete_documents(folder, ["d70"])
    kept = (folder / "shards" / "000000" / "vectors.f32").stat().st_mtime_ns
    compact_index(folder, shard_rows=64)
    names = [shard["name"] for shard in open_index(folder).manifest.shards]
    assert names == ["000000", "000004", "000002", "000003"]
    assert sorted(path.name for path in (folder / "shards").iterdir()) == sorted(names)
    assert (folder / "shards" / "000000" / "vectors.f32").stat().st_mtime_ns == kept
    add(folder, [{"_id": "new", "text": "a new one"}])
    assert open_index(folder).manifest.shards[-1]["name"] == "000005"
    assert open_index(folder).search("a new one", 1)[0].doc_id == "new"
    verify_index(folder)


def test_deleted_documents_can_come_back(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 30)
    delete_documents(folder, ["d4"])
    compact_index(folder)
    add(folder, [records(30)[4]])
    assert len(open_index(folder)) == 30
    add(folder, records(30))  # the same as before: nothing changed on the way
    assert open_index(folder).manifest.rows == 30


@pytest.mark.slow
def test_what_makes_search_faster_goes_with_what_it_was_made_of(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason='pip install "xetrieval[faiss]"')
    folder = build_small(tmp_path, 200)
    accelerate(open_index(folder), "faiss")
    accelerate(open_index(folder), "quantised")
    delete_documents(folder, ["d70"])
    done = accepted(run("index", "compact", folder))
    assert "accelerate" in done.stderr
    assert not list(folder.glob("faiss-*"))
    assert not list((folder / "scan").iterdir())
    accelerate(open_index(folder), "quantised")
    verify_index(folder)
    assert "nothing to remove" in accepted(run("index", "compact", folder)).stderr


def test_what_cannot_be_compacted_is_refused(tmp_path: Path) -> None:
    refused(run("index", "compact", tmp_path / "absent"), "absent")
    folder = build_small(tmp_path, 3)
    delete_documents(folder, ["d0", "d1", "d2"])
    refused(run("index", "compact", folder), "every document in it was deleted")
    for engine in SEARCH_ENGINES:
        refused(run("index", "accelerate", folder, engine), "every document in it was deleted")
    accepted(run("index", "verify", folder))
    add(folder, records(1))
    assert compact_index(folder).documents == 1


@pytest.mark.slow
def test_a_begun_compaction_gives_way_to_changes(tmp_path: Path) -> None:
    folder = changed(tmp_path)

    def stop(stage: str, rows: int, total: int, note: str) -> None:
        if rows > 100:
            raise KeyboardInterrupt

    for change in (lambda: delete_documents(folder, ["d150"]), lambda: add(folder, [{"_id": "x", "text": "one more"}])):
        with pytest.raises(KeyboardInterrupt):
            compact_index(folder, stop, shard_rows=64)
        assert (folder / BUILDING).is_dir()
        before = answers(open_index(folder), "word1", "dense")
        change()
        assert not (folder / BUILDING).exists()
        verify_index(folder)
        after = dict(answers(open_index(folder), "word1", "dense"))
        assert len(set(after) ^ {name for name, _ in before}) == 1
    compact_index(folder, shard_rows=64)
    verify_index(folder)
    assert SECRET.encode() not in everywhere(folder)


def test_an_unfinished_build_is_not_compacted(tmp_path: Path) -> None:
    folder = build_small(tmp_path, 100)
    delete_documents(folder, ["d1"])

    def stop(stage: str, done: int, *_: object) -> None:
        if stage == "index" and done:
            raise KeyboardInterrupt

    more = Corpus((write_corpus(tmp_path / "more.jsonl", [{**r, "_id": f"x{r['_id']}"} for r in records(50)]),))
    with pytest.raises(KeyboardInterrupt):
        build_index(more, random_explainer(), folder, replace(SMALL, adding=True), stop)
    with pytest.raises(InputError, match="a build of this index is unfinished"):
        compact_index(folder)
    assert build_index(more, random_explainer(), folder, replace(SMALL, adding=True)).documents == 149
    assert compact_index(folder).documents == 149


@pytest.mark.slow
def test_additions_and_compactions_killed_at_any_point_go_on_to_the_same_index(tmp_path: Path) -> None:
    script = Path(__file__).with_name("index_data.py")
    done = subprocess.run([sys.executable, script, tmp_path, "changes"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the same index each time" in done.stdout


STEP = st.tuples(st.sampled_from(["put", "delete"]), st.sets(st.integers(0, 11), min_size=1, max_size=6))


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(steps=st.lists(STEP, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_compacting_keeps_all_answers(tmp_path_factory: pytest.TempPathFactory, steps: Any, seed: int) -> None:
    home = tmp_path_factory.mktemp("any")
    folder, there = build_small(home, 8), {f"d{i}" for i in range(8)}
    for number, (what, numbers) in enumerate(steps):
        names = {f"d{i}" for i in numbers}
        if what == "put":
            rows = records(12, seed=seed + number)
            add(folder, [rows[i] for i in sorted(numbers)])
            there |= names
        elif names <= there and names != there:
            delete_documents(folder, sorted(names))
            there -= names
    index = open_index(folder)
    before = {by: answers(index, "word1 word5", by) for by in ("dense", "sparse", "bm25", "hybrid")}
    compact_index(folder, shard_rows=4)
    after = open_index(folder)
    assert {name for name, _ in before["dense"]} == there
    for by, wanted in before.items():
        assert_same(answers(after, "word1 word5", by), wanted)
    verify_index(folder)
