"""Corpora, pairs, sentences and teachers: what is read, and what is refused with its place."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import documentation
from hypothesis import given
from hypothesis import strategies as st

from xetrieval.data import BadLine, Pair, read_corpora, read_pairs, split_sentences
from xetrieval.data.benchmark import read_benchmark
from xetrieval.data.python_docs import python_docs
from xetrieval.errors import DamagedError, InputError
from xetrieval.teachers import read_teacher

GOOD = b'{"query": "q", "doc": "d", "query_id": "a", "doc_id": "b"}\n'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"query": "q"}\n', "line 2: field 'doc' is missing"),
        (b'{"query": " ", "doc": "d"}\n', "line 2: field 'query' is empty"),
        (b'{"query": 5, "doc": "d"}\n', "line 2: field 'query' is not text but int"),
        (b'{"query": "q", "doc": "d", "doc_id": [1]}\n', "line 2: field 'doc_id' is not text but list"),
        (b"no json\n", "line 2: not JSON"),
        (b"[1, 2]\n", "line 2: not a JSON object but list"),
        (b'{"query": "\xff", "doc": "d"}\n', "line 2: not UTF-8"),
        (b'{"query": "\\ud800", "doc": "d"}\n', "line 2: contains half a character"),
        (b'{"query": "q", "doc": "' + b"x" * 5_000_000 + b'"}\n', "line 2: longer than 4 MB"),
        (b"[" * 100_000 + b"\n", "line 2: not usable JSON (nested too deeply)"),
        (GOOD, "line 2: query_id 'a' with doc_id 'b' already occurs in line 1"),
    ],
)
def test_a_bad_line_says_where_and_what(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(GOOD + line + GOOD.replace(b'"a"', b'"c"'))
    first, bad, last = read_pairs(path)
    assert isinstance(first, Pair)
    assert isinstance(bad, BadLine)
    assert words in str(bad)
    assert len(bad.raw) <= 1000
    assert str(pickle.loads(pickle.dumps(bad))) == str(bad)
    assert isinstance(last, Pair)
    assert last.line == 3


def test_ids_are_optional_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"query": "q", "doc": "d"}\n\n{"query": "q", "doc": "d", "query_id": 7}')
    assert [(p.query_id, p.doc_id) for p in read_pairs(path)] == [("q1", "d1"), ("7", "d3")]  # type: ignore[union-attr]


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"\n \n", "is empty"), (None, "no such file")])
def test_files_with_nothing_in_them_are_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "pairs.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        list(read_pairs(path))


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(b'{"_id": "%d", "text": "one"}\n' % i for i in range(5000)))[:-20])
    with pytest.raises(DamagedError, match="damaged gzip"):
        read_corpora([tmp_path])


def corpus(folder: Path, *records: dict) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_documents_are_title_and_text_and_know_their_thread(tmp_path: Path) -> None:
    folder = corpus(
        tmp_path / "c",
        {"_id": "q1", "title": "Title", "text": "Body."},
        {"_id": "a1", "title": "", "text": "Answer.", "metadata": {"parent": "q1"}},
    )
    question, answer = read_corpora([folder])
    assert (question.text, question.body, question.thread) == ("Title\nBody.", "Body.", "q1")
    assert (answer.text, answer.thread) == ("Answer.", "q1")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"text": "x"}, "line 2: field '_id' is missing"),
        ({"_id": "2", "title": " ", "text": ""}, "line 2: document '2' has neither title nor text"),
        ({"_id": "2", "text": 5}, "line 2: field 'text' is not text"),
        ({"_id": "1", "text": "other"}, "duplicate document id '1'"),
    ],
)
def test_documents_that_cannot_be_used_are_refused(tmp_path: Path, record: dict, words: str) -> None:
    folder = corpus(tmp_path / "c", {"_id": "1", "text": "one"}, record)
    with pytest.raises(InputError, match=words):
        read_corpora([folder])


def test_a_document_two_corpora_share_is_taken_once_but_not_with_two_texts(tmp_path: Path) -> None:
    a = corpus(tmp_path / "a", {"_id": "1", "text": "one"})
    b = corpus(tmp_path / "b", {"_id": "1", "text": "one"}, {"_id": "2", "text": "two"})
    assert [d.id for d in read_corpora([a, b])] == ["1", "2"]
    corpus(b, {"_id": "1", "text": "another"})
    with pytest.raises(InputError, match="one text in"):
        read_corpora([a, b])
    with pytest.raises(InputError, match=r"neither corpus\.jsonl"):
        read_corpora([tmp_path])


@given(st.text(alphabet=st.sampled_from("aB1 .!?\n\"'(Ü中\r"), max_size=80))
def test_sentences_lie_where_they_say_and_lose_nothing(text: str) -> None:
    sentences = split_sentences(text)
    assert all(text[s.start : s.end] == s.text == s.text.strip() for s in sentences)
    assert "".join("".join(s.text.split()) for s in sentences) == "".join(text.split())


def test_sentences_end_where_a_reader_would_end_them() -> None:
    text = 'Dr. Smith, e.g. John, arrived. He said "Stop!" Then 3 things happened:\n- one\n- two\nVersion 3.11 is out.'
    assert [s.text for s in split_sentences(text)] == [
        "Dr. Smith, e.g. John, arrived.",
        'He said "Stop!"',
        "Then 3 things happened:",
        "- one",
        "- two",
        "Version 3.11 is out.",
    ]


@pytest.mark.slow
def test_the_documentation_of_this_python_is_a_corpus() -> None:
    first = documentation()
    assert list(first) == python_docs(300)
    assert len({d.id for d in first}) == len(first) == 300
    assert all(len(d.text) > 100 for d in first)


def test_a_benchmark_keeps_judged_documents_that_are_absent(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "b", {"_id": "d1", "text": "one"})
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "x"}\n{"_id": "unjudged", "text": "y"}\n')
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\tabsent\t2\n")
    benchmark = read_benchmark(folder)
    assert benchmark.query_ids == ["q1"]
    assert benchmark.judgments == {"q1": {"d1": 1, "absent": 2}}
    (folder / "qrels" / "test.tsv").write_text("q1\td1\n")
    with pytest.raises(InputError, match="line 1: expected 3 columns"):
        read_benchmark(folder)


# ------------------------------------------------------------------ teachers


@pytest.fixture
def documents(tmp_path: Path) -> list:
    return read_corpora(
        [
            corpus(
                tmp_path / "c",
                {"_id": "q1", "title": "How do locks work", "text": "I wonder about locks."},
                {"_id": "a1", "text": "A lock lets one thread pass.", "metadata": {"parent": "q1"}},
                {"_id": "q2", "title": "", "text": "No title here."},
            )
        ]
    )


def test_written_texts_teach_each_aspect_they_have(tmp_path: Path, documents: list) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"_id": "a1", "summary": "S", "qa": "Q: ? A: !"}\n{"_id": "elsewhere", "summary": "S"}\n')
    lessons = read_teacher(str(path), documents)
    assert [(p.aspect, p.target, p.thread) for p in lessons] == [
        ("qa", "Q: ? A: !", "q1"),
        ("summary", "S", "q1"),
    ]
    path.write_text('{"_id": "elsewhere", "summary": "S"}\n')
    with pytest.raises(InputError, match="nothing to learn for ids in the corpus"):
        read_teacher(str(path), documents)
    path.write_text('{"_id": "a1", "summary": 5}\n')
    with pytest.raises(InputError, match="line 1: field 'summary'"):
        read_teacher(str(path), documents)


def test_an_answers_target_is_its_question(tmp_path: Path, documents: list) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("question-id\tanswer-id\nq1\ta1\nq1\tabsent\n")
    (lesson,) = read_teacher(str(path), documents)
    assert (lesson.aspect, lesson.source) == ("qa", "A lock lets one thread pass.")
    assert lesson.target == "How do locks work\nI wonder about locks."
    path.write_text("q1\n")
    with pytest.raises(InputError, match="line 1: expected 2 columns"):
        read_teacher(str(path), documents)


def test_a_title_is_learned_from_the_body_alone(documents: list) -> None:
    (lesson,) = read_teacher("field:title", documents)
    assert (lesson.aspect, lesson.source, lesson.target) == (
        "summary",
        "I wonder about locks.",
        "How do locks work",
    )
    assert read_teacher("field:title=purpose", documents)[0].aspect == "purpose"
    for source, words in (
        ("field:title=Big", "cannot name a view"),
        ("field:none", "no document has"),
        ("absent.jsonl", "no such file"),
    ):
        with pytest.raises(InputError, match=words):
            read_teacher(source, documents)


def _as_folder(home: Path, records: list[dict[str, str]]) -> Path:
    return corpus(home / "beir", *records)


def _as_json_lines(home: Path, records: list[dict[str, str]]) -> Path:
    (home / "c.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return home / "c.jsonl"


def _as_gzip(home: Path, records: list[dict[str, str]]) -> Path:
    (home / "c.jsonl.gz").write_bytes(gzip.compress(_as_json_lines(home, records).read_bytes()))
    return home / "c.jsonl.gz"


def _as_commas(home: Path, records: list[dict[str, str]]) -> Path:
    rows = [",".join(f'"{value}"' for value in record.values()) for record in records]
    (home / "c.csv").write_text("\n".join(["_id,title,text,year", *rows]) + "\n")
    return home / "c.csv"


def _as_tabs(home: Path, records: list[dict[str, str]]) -> Path:
    rows = ["\t".join(record.values()) for record in records]
    (home / "c.tsv").write_text("\n".join(["_id\ttitle\ttext\tyear", *rows]) + "\n")
    return home / "c.tsv"


def _as_parquet(home: Path, records: list[dict[str, str]]) -> Path:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(records), home / "c.parquet")
    return home / "c.parquet"


@pytest.mark.parametrize(
    "written", [_as_folder, _as_json_lines, _as_gzip, _as_commas, _as_tabs, _as_parquet], ids=lambda f: f.__name__[4:]
)
def test_every_reader_gives_the_same_documents(tmp_path: Path, written: Callable[..., Path]) -> None:
    records = [
        {"_id": "a", "title": "Salt", "text": "Salt, and pepper.", "year": "1999"},
        {"_id": "b", "title": "", "text": "Ünïcode — 塩。", "year": "2001"},
    ]
    first, second = read_corpora([written(tmp_path, records)])
    assert (first.id, first.text, first.body) == ("a", "Salt\nSalt, and pepper.", "Salt, and pepper.")
    assert (second.id, second.text, second.fields["metadata"]) == ("b", "Ünïcode — 塩。", {"year": "2001"})
    with pytest.raises(InputError, match="neither title nor text"):
        read_corpora([written(tmp_path, [{"_id": "a", "title": "", "text": " ", "year": "1999"}])])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith of Acme Inc. came. He left on Jan. 3.", ["Dr. Smith of Acme Inc. came.", "He left on Jan. 3."]),
        ("I said no. Then 3 came. See no. 3.", ["I said no.", "Then 3 came.", "See no. 3."]),
        ("vitamins, etc. The rest", ["vitamins, etc.", "The rest"]),
        ("1. First. Second.\n 2. Two.", ["1. First.", "Second.", "2. Two."]),
        ("The end. - One. - Two.", ["The end.", "- One.", "- Two."]),
        ("यह पहला वाक्य है। यह दूसरा है।", ["यह पहला वाक्य है।", "यह दूसरा है।"]),
        ("هل هذا؟ نعم هذا. جملة أخرى.", ["هل هذا؟", "نعم هذا.", "جملة أخرى."]),
        ("שלום עולם. מה שלומך?", ["שלום עולם.", "מה שלומך?"]),
        ("To jest Warszawa. Łódź też.", ["To jest Warszawa.", "Łódź też."]),
    ],
)
def test_abbreviations_and_other_scripts(text: str, expected: list[str]) -> None:
    assert [one.text for one in split_sentences(text)] == expected
