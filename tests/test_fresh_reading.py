"""Other people's files: inputs that were read wrongly, or refused for another than the true reason."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import sys
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from sqlite3 import connect

import numpy as np
import pytest
from cases_data import refused, run
from conftest import random_explainer
from index_data import build_small

from xetrieval.data import Document, Skipped, stream_source
from xetrieval.data.html_text import page_text
from xetrieval.data.judgments import read_judged_queries
from xetrieval.data.lines import BadLine, byte_lines
from xetrieval.data.pages import read_page
from xetrieval.data.tables import read_parquet
from xetrieval.data.values import plain
from xetrieval.errors import InputError
from xetrieval.index.store.manifest import read_index_manifest
from xetrieval.teachers.existing import read_teacher

ROW = b'{"_id": "a", "text": "salt"}\n'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(ROW, mtime=0), "compressed with gzip; give it a name that ends in .gz"),
        (bz2.compress(ROW), "compressed with bzip2"),
        (lzma.compress(ROW), "compressed with xz"),
        (b"PK\x03\x04" + ROW, "a zip file"),
        (b"PAR1" + ROW, "a Parquet file"),
        (ROW.decode().encode("utf-16"), "UTF-16"),
        (ROW.decode().encode("utf-32"), "UTF-16 or UTF-32"),
    ],
)
def test_a_packed_file_is_refused_for_that_and_not_for_its_first_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "c.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=reason):
        list(byte_lines(tmp_path / "c.jsonl"))


def test_times_of_parquet_that_cannot_be_read_are_refused_in_our_words(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    def read(kind: object, values: list[object]) -> list[object]:
        table = arrow.table({"id": ["a", "b"], "text": ["x", "y"], "at": arrow.array(values, kind)})
        parquet.write_table(table, tmp_path / "t.parquet")
        return list(read_parquet(tmp_path / "t.parquet"))

    fine = arrow.timestamp("ns", "UTC")
    for kind, values in (
        (arrow.list_(fine), [[1], [1000]]),
        (arrow.struct([("t", arrow.time64("ns"))]), [{"t": 1}, {"t": 1000}]),
        (arrow.list_(arrow.duration("ns")), [[1], [1000]]),
    ):
        bad, good = read(kind, values)
        if isinstance(bad, BadLine):  # with pandas, they can be read
            assert bad.reason.startswith("times in nanoseconds within a list or a record")
        assert isinstance(good, Document)
    early, _ = read(arrow.list_(arrow.timestamp("us")), [[2**62], [1]])
    assert isinstance(early, BadLine)
    assert early.reason == "a date outside of the years 1 to 9999"
    for kind in (arrow.timestamp("us", "Mars/Base"), arrow.timestamp("ns", "+25:00")):
        for nested in (False, True):
            with pytest.raises(InputError, match=r"column at has times of the zone .* which is unknown here"):
                read(arrow.list_(kind) if nested else kind, [[1], [2]] if nested else [1, 2])


def test_numbers_of_parquet_are_found_as_they_are_written(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    price = {
        "decimal": arrow.array([Decimal("0.10"), Decimal("12345678901234567.89"), None], arrow.decimal128(19, 2)),
        "single": arrow.array([0.1, 2.5, None], arrow.float32()),
        "half": arrow.array(np.array([0.1, 2.5, np.nan], np.float16)),
    }
    parquet.write_table(arrow.table({"id": ["a", "b", "c"], "text": ["x"] * 3, **price}), tmp_path / "t.parquet")
    first, second, third = (
        one.fields["metadata"] for one in read_parquet(tmp_path / "t.parquet") if isinstance(one, Document)
    )
    assert first == {"decimal": 0.1, "single": 0.1, "half": 0.1}
    assert second == {"decimal": 12345678901234567.89, "single": 2.5, "half": 2.5}
    assert third == dict.fromkeys(price)
    assert plain(np.float32(0.1)) == plain(Decimal("0.1")) == 0.1


def test_a_row_of_parquet_that_cannot_be_held_is_one_bad_row(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    raw = arrow.array([b"good", b"sa\xfflt", b"also good"])
    text = arrow.Array.from_buffers(arrow.string(), 3, raw.buffers())
    when = arrow.array([0, 0, 2**62], arrow.timestamp("us"))
    parquet.write_table(arrow.table({"id": ["a", "b", "c"], "text": text, "when": when}), tmp_path / "t.parquet")
    good, first, second = read_parquet(tmp_path / "t.parquet")
    assert isinstance(good, Document)
    assert good.id == "a"
    assert isinstance(first, BadLine)
    assert (first.number, first.unit) == (2, "row")
    assert "not UTF-8" in first.reason
    assert isinstance(second, BadLine)
    assert second.number == 3
    assert "a date outside of the years 1 to 9999" in second.reason


def test_no_reader_gives_half_a_character(tmp_path: Path) -> None:
    half = b"\xed\xa0\x80"  # a lone surrogate, written as if UTF-8 had it
    for name, head, row in (
        ("c.jsonl", b"", b'{"_id": "a", "text": "x%s"}\n'),
        ("e.jsonl", b"", b'{"_id": "a", "text": "x\\ud800"}\n'),
        ("c.csv", b"_id,text\n", b"a,x%s\n"),
        ("c.tsv", b"_id\ttext\n", b"a\tx%s\n"),
    ):
        (tmp_path / name).write_bytes(head + row.replace(b"%s", half))
        skipped = Skipped(bad_rows=True)
        assert not list(stream_source(tmp_path / name, skipped=skipped))
        assert len(skipped.rows) == 1
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    text = arrow.Array.from_buffers(arrow.string(), 1, arrow.array([half]).buffers())
    parquet.write_table(arrow.table({"id": ["a"], "text": text}), tmp_path / "c.parquet")
    (bad,) = read_parquet(tmp_path / "c.parquet")
    assert isinstance(bad, BadLine)


def test_front_matter_is_never_text(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("---\ntitle: Salt\ntags: [x]\n---\n\n")
    (document,) = read_page(page, Skipped())
    assert isinstance(document, Document)
    assert (document.text, document.body) == ("Salt", "")
    assert document.fields["metadata"] == {"tags": ["x"], "file": "a.md"}
    page.write_text("---\ntags: [x]\n---\n")
    (bad,) = read_page(page, Skipped())
    assert isinstance(bad, BadLine)
    assert "without a title or a text" in bad.reason


def test_every_file_without_text_is_counted_where_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Salt.")
    (tmp_path / "app.html").write_text("<script>" + "run();" * 1000 + "</script>")
    (tmp_path / "blank.txt").write_text(" \n" * 2500)
    (tmp_path / "b.pdf").write_text("%PDF")
    skipped = Skipped()
    for _ in range(2):  # what is read twice is counted once
        assert [document.id for document in stream_source(tmp_path, skipped=skipped)] == ["a.txt"]
    (note,) = skipped.notes
    assert note.endswith("or an unsupported extension (2 without text, 1 .pdf)")
    skipped = Skipped()
    assert not list(stream_source(tmp_path / "app.html", skipped=skipped))
    assert "app.html: 1 file was skipped" in skipped.notes[0]


@pytest.mark.parametrize("front", ["title: Foo: bar", "title: x\ntitle: y"])
def test_front_matter_that_cannot_be_read_is_said(tmp_path: Path, front: str) -> None:
    (tmp_path / "bad.md").write_text(f"---\n{front}\n---\nSalt.\n")
    (tmp_path / "good.md").write_text("---\ntitle: Salt\n---\nSalt.\n")
    (tmp_path / "rule.md").write_text("---\nSalt\n---\nand pepper\n")
    skipped = Skipped()
    bad, *_ = stream_source(tmp_path, skipped=skipped)
    assert front in bad.body
    (note,) = skipped.notes
    assert "1 page has front matter that is not readable YAML, and was treated as text, e.g. bad.md" in note


def test_the_title_of_a_drawing_is_not_the_title_of_the_page() -> None:
    drawing = "<svg><title>icon</title></svg>"
    assert page_text(f"<body>{drawing}<p>salt</p></body>")[0] == ""
    assert page_text(f"<head><title>Salt</title></head>{drawing}<p>x</p>")[0] == "Salt"
    assert page_text(f"{drawing}<title>Salt</title><p>x</p>")[0] == "Salt"


def _judged(folder: Path, grades: list[int]) -> tuple[Path, Path]:
    (folder / "q.jsonl").write_text("".join(f'{{"_id": "q{i}", "text": "salt"}}\n' for i in range(len(grades))))
    (folder / "qrels").write_text("".join(f"q{i}\td{i}\t{grade}\n" for i, grade in enumerate(grades)))
    return folder / "qrels", folder / "q.jsonl"


def test_judgments_that_call_nothing_relevant_measure_nothing(tmp_path: Path) -> None:
    for grades in ([0, 0], [-1, 0]):
        with pytest.raises(InputError, match="no grade is above 0"):
            read_judged_queries(*_judged(tmp_path, grades))
    found = read_judged_queries(*_judged(tmp_path, [0, 1, 2]))
    assert found.notes == ["1 of 3 judged queries have no relevant document: no grade is above 0"]
    assert not read_judged_queries(*_judged(tmp_path, [1, 2])).notes


def _documents() -> list[Document]:
    return [Document(f"d{i}", f"salt {i}", f"salt {i}", f"d{i}", {}) for i in range(4)]


def _teacher(path: Path, *records: dict[str, object]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def test_two_texts_of_one_document_are_refused_and_one_twice_counts_once(tmp_path: Path) -> None:
    first, other = {"_id": "d1", "summary": "of salt"}, {"_id": "d1", "summary": "of pepper"}
    assert len(read_teacher(_teacher(tmp_path / "t.jsonl", first, first), _documents())) == 1
    for skipped in (None, Skipped(bad_rows=True)):
        with pytest.raises(InputError, match="line 2: document 'd1' has a different summary in an earlier line"):
            read_teacher(_teacher(tmp_path / "t.jsonl", first, other), _documents(), skipped)
    both = _teacher(tmp_path / "t.jsonl", first, {"_id": "d1", "purpose": "to season"})
    assert {lesson.aspect for lesson in read_teacher(both, _documents())} == {"summary", "purpose"}


def test_the_id_of_a_teacher_text_may_be_called_id_as_in_a_corpus(tmp_path: Path) -> None:
    (lesson,) = read_teacher(_teacher(tmp_path / "t.jsonl", {"id": "d1", "summary": "of salt"}), _documents())
    assert lesson.target == "of salt"
    click = {"id": 7, "query": "salt", "doc_id": "d2", "clicks": 3}  # the log's own number
    (lesson,) = read_teacher(_teacher(tmp_path / "c.jsonl", click), _documents())
    assert (lesson.source, lesson.weight) == ("salt 2", 2.0)


def test_an_index_whose_documents_are_all_deleted_is_not_examined(tmp_path: Path) -> None:
    from xetrieval.evaluate.doctor import checkup
    from xetrieval.index import Corpus, build_index, open_index
    from xetrieval.index.build.delete import delete_documents

    explainer = random_explainer()
    vectors = np.random.default_rng(0).standard_normal((3, explainer.sae.dimension)).astype(np.float32)
    np.save(tmp_path / "v.npy", vectors)
    (tmp_path / "v.npy.ids.txt").write_text("a\nb\nc\n")
    build_index(Corpus((), vectors=tmp_path / "v.npy"), explainer, tmp_path / "index")
    delete_documents(tmp_path / "index", ["a", "b", "c"])
    with pytest.raises(InputError, match="every document in this index was deleted"):
        checkup(open_index(tmp_path / "index", explainer))


def test_bad_pairs_are_named_where_no_list_can_lie_beside_the_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from xetrieval.cli import main

    random_explainer().save(tmp_path / "toy")
    (tmp_path / "p.jsonl").write_text('{"query": "salt", "doc": "salt"}\n{"query": "a"}\nx\n')
    words = ["xetrieval", "explain", "--input", str(tmp_path / "p.jsonl"), "-x", str(tmp_path / "toy"), "--skip-bad"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as end:
        sys.exit(main())
    assert not end.value.code
    out, said = capfd.readouterr()
    assert len(out.splitlines()) == 1
    assert "p.jsonl, line 2: field 'doc' is missing" in said
    assert "p.jsonl, line 3: not JSON" in said


@pytest.mark.parametrize("cut", [{"overlap": [None, None, None]}, {"whole": ""}, {"overlap": -1}, {"cut": 1}])
def test_a_chunking_that_cannot_be_read_is_damage(cut: dict[str, object], tmp_path: Path) -> None:
    folder = build_small(tmp_path, 6)
    manifest = read_index_manifest(folder)
    event = {**manifest.made_from[0], "chunking": {"tokens": None, "overlap": 0, "whole": False, **cut}}
    forged = replace(manifest, made_from=(event,))
    (folder / "config.json").write_text(json.dumps(forged.to_dict()))
    refused(run("index", "add", folder, tmp_path / "corpus.jsonl"), "config.json", "restore it")


@pytest.mark.parametrize("change", ["row + 1000", "-1"])
def test_rows_that_a_shard_does_not_have_are_damage(change: str, tmp_path: Path) -> None:
    folder = build_small(tmp_path, 6)
    texts = next(folder.glob("shards/*/documents.sqlite"))
    with closing(connect(texts)) as db, db:
        db.execute(f"UPDATE documents SET row = {change} WHERE row = 1")
    for command in (("index", "report", folder), ("search", folder, "word1", "--by", "bm25")):
        refused(run(*command), "documents.sqlite", "rows beyond")


def test_links_that_lead_nowhere_and_pipes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a text")
    (tmp_path / "dangling.txt").symlink_to("absent")
    (tmp_path / "itself.txt").symlink_to("itself.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    skipped = Skipped()
    assert [one.id for one in stream_source(tmp_path, skipped)] == ["a.txt"]
    assert "3 files were skipped" in skipped.notes[0]
    assert "3 broken links and pipes" in skipped.notes[0]


def test_the_second_corpus_of_a_folder_is_counted_as_skipped(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "one"}\n')
    (tmp_path / "corpus.jsonl.gz").write_bytes(gzip.compress(b'{"_id": "b", "text": "two"}\n'))
    skipped = Skipped()
    assert [one.id for one in stream_source(tmp_path, skipped)] == ["a"]
    assert "1 file was skipped" in skipped.notes[0]
    assert "corpus.jsonl.gz beside corpus.jsonl" in skipped.notes[0]
