"""Reading other people's data: whatever a file holds, it is read or refused in words, and nothing in it is lost."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xetrieval.data import Skipped, read_corpora, stream_source
from xetrieval.data.chunks import CharacterRuler, Cutter
from xetrieval.data.front_matter import split_front_matter
from xetrieval.data.html_text import page_text
from xetrieval.data.judgments import read_judgments, read_queries
from xetrieval.errors import InputError, XetrievalError

IDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Z")), min_size=1, max_size=8).filter(
    lambda text: not text.startswith(("#", "\ufeff"))
)
PAIRS = st.dictionaries(st.tuples(IDS, IDS), st.integers(-3, 99), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reading")


def check_words(error: XetrievalError) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 700


@pytest.mark.slow
@given(PAIRS, st.sampled_from(["\t", " ", "\t0\t", " Q0 "]), st.sampled_from(["", ".0"]), st.booleans())
def test_judgments_survive_every_form(
    scratch: Path, pairs: dict[tuple[str, str], int], between: str, more: str, head: bool
) -> None:
    blank = between.strip() or between
    last = "\t" if "\t" in between else " "
    lines = [f"{query}{between}{document}{last}{grade}{more}" for (query, document), grade in pairs.items()]
    first = [last.join(["query-id", *([blank.strip()] if blank.strip() else []), "corpus-id", "score"])] if head else []
    path = scratch / "qrels.tsv"
    path.write_bytes("\r\n".join(["# made by hand", *first, *lines, "", ""]).encode())
    read = read_judgments(path)
    assert {(query, document): grade for query, of in read.items() for document, grade in of.items()} == pairs


@given(st.binary(max_size=200) | st.text("qd01\t \n#-.eN²", max_size=60).map(str.encode), st.booleans())
def test_no_qrels_file_ends_in_a_traceback(scratch: Path, content: bytes, skip: bool) -> None:
    path = scratch / "any.tsv"
    path.write_bytes(content)
    try:
        read = read_judgments(path, Skipped(bad_rows=skip))
    except XetrievalError as error:
        check_words(error)
    else:
        assert all(type(grade) is int for of in read.values() for grade in of.values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["_id", "id", "title", "text", "metadata", "parent", "start", "qid"])
LINES = st.lists(
    st.dictionaries(FIELDS, JSON, max_size=6).map(lambda record: json.dumps(record).encode())
    | st.binary(max_size=30).filter(lambda raw: b"\n" not in raw),
    max_size=8,
)


@pytest.mark.slow
@given(LINES, st.booleans())
def test_no_json_lines_file_ends_in_a_traceback(scratch: Path, lines: list[bytes], skip: bool) -> None:
    path = scratch / "any.jsonl"
    path.write_bytes(b"\n".join(lines))
    for read in (lambda left: read_corpora([path], left), lambda left: read_queries(path, {"1"}, left)):
        skipped = Skipped(bad_rows=skip)
        try:
            found = read(skipped)
        except XetrievalError as error:
            check_words(error)
        else:
            if isinstance(found, list):  # documents: every line is one, or is listed with its reason
                used = sum(bool(line.strip()) for line in b"\n".join(lines).split(b"\n"))
                assert len(found) + len(skipped.rows) == used
                json.dumps([document.fields for document in found], allow_nan=False, ensure_ascii=False).encode()
                assert all(document.chunk is None for document in found)
        if skipped.rows:
            skipped.write(path)


@given(st.text("-:ab# \n[]{}&*!'\"0\t%", max_size=60), st.sampled_from(["", "---\n", "---\ntitle: x\n"]))
def test_front_matter_is_facts_or_text_and_nothing_is_lost(scratch: Path, content: str, start: str) -> None:
    text = start + content
    facts, at, _ = split_front_matter(text)
    assert not facts or 0 < at <= len(text)
    json.dumps(facts, allow_nan=False)
    path = scratch / "page.md"
    path.write_text(text, newline="")
    for document in Cutter(CharacterRuler(16)).cut(stream_source(path, cut_files=False)):
        assert document.chunk is not None
        assert text[document.chunk.start : document.chunk.end] == document.body


@given(st.text("<>/ab!-[]&;#x01 \n\"'=scriptle", max_size=80))
def test_no_page_of_html_ends_in_a_traceback(text: str) -> None:
    page_text(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "front",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
        "a: !!python/object/apply:os.system [echo]",
        "a: !!binary aGVsbG8=",
        "n: " + "9" * 5000,
        "n: 1e999",
        "a: " + "[" * 5000 + "]" * 5000,
        'a: "\\ud800"',
        "a: 1\na: 2",
        "- a\n- b",
        "title: a: b",
    ],
)
def test_front_matter_that_is_no_plain_yaml_is_text(front: str) -> None:
    assert split_front_matter(f"---\n{front}\n---\nText.\n") == ({}, 0, front != "- a\n- b")


def test_front_matter_keeps_what_stands_there() -> None:
    front = (
        "updated: 2024-05-01\ncountry: no\nopens: 12:30\nzip: 01234\nn: 3\nprice: 2.5\nok: true\nnone:\nm: {a: [1, x]}"
    )
    facts, start, _ = split_front_matter(f"---\r\n{front}\r\n---\r\nText.")
    assert facts == {
        "updated": "2024-05-01",
        "country": "no",
        "opens": "12:30",
        "zip": "01234",
        "n": 3,
        "price": 2.5,
        "ok": True,
        "none": None,
        "m": {"a": [1, "x"]},
    }
    assert f"---\r\n{front}\r\n---\r\nText."[start:] == "Text."


def test_a_title_stands_before_a_text_that_does_not_begin_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: Body\n---\nBody text here.\n")
    (tmp_path / "b.md").write_text("---\ntitle: Body\n---\n# Body\n\ntext here.\n")
    (tmp_path / "c.md").write_text("```\n# no heading\n```\n\n# Real\n\ntext\n")
    a, b, c = stream_source(tmp_path)
    assert (a.text, a.fields["title"]) == ("Body\nBody text here.\n", "Body")
    assert b.text == "# Body\n\ntext here.\n"
    assert c.fields["title"] == "Real"


def table(path: Path, **columns: Any) -> Path:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_is_read_as_json_has_it(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    when = datetime.datetime(2024, 5, 1, 12, 30)
    path = table(
        tmp_path / "c.PARQUET",
        id=pa.array([1, 2]),
        text=pa.array(["x", "y"]).dictionary_encode(),
        at=pa.array([when, None], pa.timestamp("ns")),
        day=[when.date(), None],
        price=[decimal.Decimal("1.50"), None],
        share=[float("nan"), 0.5],
        nested=[{"a": [when.date()]}, None],
        parent=["p", None],
    )
    first, second = stream_source(path)
    assert (first.id, first.text, first.chunk, first.thread) == ("1", "x", None, "p")
    assert first.fields["metadata"] == {
        "at": "2024-05-01T12:30:00",
        "day": "2024-05-01",
        "price": 1.5,
        "share": None,
        "nested": {"a": ["2024-05-01"]},
        "parent": "p",
    }
    assert second.fields["metadata"]["share"] == 0.5


def test_parquet_keeps_nanoseconds(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    ns = [1_714_566_600_000_000_007, -1, None, 5_000]
    path = table(
        tmp_path / "c.parquet",
        id=["a", "b", "c", "d"],
        text=["w", "x", "y", "z"],
        at=pa.array(ns, pa.timestamp("ns")),
        zoned=pa.array(ns, pa.timestamp("ns", "+02:00")),
        hour=pa.array([3_600_000_000_001, 0, None, 1_000], pa.time64("ns")),
        long=pa.array([1, -1, None, 86_400_000_000_000], pa.duration("ns")),
    )
    rows = [document.fields["metadata"] for document in stream_source(path)]
    assert [list(row.values()) for row in rows] == [
        [
            "2024-05-01T12:30:00.000000007",
            "2024-05-01T14:30:00.000000007+02:00",
            "01:00:00.000000001",
            "0:00:00.000000001",
        ],
        [
            "1969-12-31T23:59:59.999999999",
            "1970-01-01T01:59:59.999999999+02:00",
            "00:00:00",
            "-1 day, 23:59:59.999999999",
        ],
        [None, None, None, None],
        ["1970-01-01T00:00:00.000005", "1970-01-01T02:00:00.000005+02:00", "00:00:00.000001", "1 day, 0:00:00"],
    ]


def test_parquet_that_cannot_be_used_is_refused_by_column_and_row(tmp_path: Path) -> None:
    ids = ["a", "b"]
    for columns, words in (
        ({"id": [b"a", b"b"], "text": ["x", "y"]}, "column id is of type binary"),
        ({"id": [1.0, 2.0], "text": ["x", "y"]}, "column id is of type double"),
        ({"id": ids, "text": [1, 2]}, "column text is of type int64"),
        ({"id": ids, "text": ["x", None]}, "row 2: document 'b' has neither title nor text"),
        ({"id": ["a", None], "text": ["x", "y"]}, "row 2: field '_id' is missing"),
        ({"id": ids, "text": ["x", "y"], "image": [b"1", b"2"]}, "column image is of type binary"),
        ({"id": ids, "body": ["x", "y"]}, "expected columns"),
    ):
        with pytest.raises(InputError, match=words):
            list(stream_source(table(tmp_path / "c.parquet", **columns)))
    skipped = Skipped(bad_rows=True)
    source = table(tmp_path / "c.parquet", id=ids, text=["x", None])
    assert [document.id for document in stream_source(source, skipped)] == ["a"]
    assert [row.number for row in skipped.rows] == [2]
    source.write_bytes(source.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a complete Parquet file"):
        list(stream_source(source))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", 'id,text\n1,x\n2,"never closed\n3,y\n', "line 3: not CSV .*never closed"),
        ("a.csv", 'id,text\n1,"x" y\n', "line 2: not CSV"),
        ("a.csv", "id,text\r1,x\r", "carriage return"),
        ("a.csv", "id\ttext\n1\tx\n", "tabs"),
        ("a.tsv", "id,text\n1,x\n", "commas"),
        ("a.csv", "id,text\n1,x,y\n", "line 2: expected 2 columns, found 3"),
        ("a.csv", "id,text\n", "no documents"),
        ("a.csv", "", "empty"),
        ("a.jsonl", '{\n"_id": "a",\n"text": "b"}\n', "one JSON object over several lines"),
        ("a.json", '[\n{"_id": "a"}\n]', "a JSON array"),
    ],
)
def test_tables_and_lines_are_refused_for_the_true_reason(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_bytes(content.encode())
    with pytest.raises(InputError, match=words):
        read_corpora([tmp_path / name])


def test_columns_of_judgments_are_separated_by_ascii_blanks(tmp_path: Path) -> None:
    path = tmp_path / "qrels.txt"
    path.write_bytes("q\u00a01 0 doc\u20031 2\nq\u00a01  0 \u00a0d\x852 1 \t\r\n".encode())
    assert read_judgments(path) == {"q\u00a01": {"doc\u20031": 2, "\u00a0d\x852": 1}}
    path.write_bytes("q1\tdoc\u00a01\t2\nq1\t d2\u00a0 \t 1 \r\n".encode())
    assert read_judgments(path) == {"q1": {"doc\u00a01": 2, "d2\u00a0": 1}}
    path.write_bytes("q1\u00a00\u00a0d1\u00a01\n".encode())
    with pytest.raises(InputError, match="found 1"):
        read_judgments(path)


def test_columns_of_judgments_that_are_no_judgments_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv"
    for content, words in (
        ("q\t0\td\t1\nq\td\t1\n", "line 2: expected 4 columns"),
        ("q\tx\td\t1\n", "not 0 or Q0"),
        ("q\td\t0.5\n", "'0.5' is not a whole number"),
        ("q\td\t１\n", "is not a whole number"),
        ("query-id\tcorpus-id\tscore\n", "contains no judgments"),
        ("q\td\t1\nq\td\tscore\n", "line 2: the grade 'score'"),
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=words):
            read_judgments(path)
    path.write_text("1 4.5 doc 2\n")  # TREC's rounds stand in the second column
    assert read_judgments(path) == {"1": {"doc": 2}}
