"""Teacher texts that exist already: how they are named, weighed, and tied to a corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_teach import corpus

from xetrieval.data import Skipped
from xetrieval.data.judgments import read_clicks
from xetrieval.errors import InputError
from xetrieval.teachers import read_teacher
from xetrieval.teachers.existing import read_spec, text_sha256


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a.jsonl", ("a.jsonl", None, 1.0)),
        ("a.jsonl@0.5", ("a.jsonl", None, 0.5)),
        ("pairs.tsv=title@2", ("pairs.tsv", "title-x", 2.0)),
        ("field:title=purpose", ("field:title", "purpose", 1.0)),
        ("/tmp/x=1/pairs.tsv", ("/tmp/x=1/pairs.tsv", None, 1.0)),
        ("me@host/pairs.tsv", ("me@host/pairs.tsv", None, 1.0)),
    ],
)
def test_a_teacher_is_written_with_aspect_and_weight(text: str, wanted: tuple[str, str | None, float]) -> None:
    if wanted[1] == "title-x":  # a name that no view can have
        with pytest.raises(InputError, match="cannot name a view"):
            read_spec(text)
    else:
        assert read_spec(text) == wanted


@pytest.mark.parametrize("text", ["a.jsonl@0", "a.jsonl@-1", "a.jsonl@nan", "a.jsonl@heavy"])
def test_a_weight_must_be_above_zero(text: str) -> None:
    with pytest.raises(InputError, match="not a number above 0"):
        read_spec(text)


def test_clicks_teach_by_their_number_and_any_view_may_be_named(tmp_path: Path) -> None:
    documents = corpus(2)
    path = tmp_path / "clicks.jsonl"
    path.write_text(
        '{"query": "why does dough rise", "doc_id": "d0", "clicks": 7}\n'
        '{"query": "old loaf", "doc_id": "d1"}\n{"query": "nobody", "doc_id": "d1", "clicks": 0}\n'
        '{"query": "else", "doc_id": "gone", "clicks": 3}\n'
    )
    lessons = read_teacher(f"{path}=searched@0.5", documents)
    assert [(pair.aspect, pair.target, pair.weight) for pair in lessons] == [
        ("searched", "why does dough rise", 1.5),
        ("searched", "old loaf", 0.5),
    ]
    path.write_text('{"query": "q", "doc_id": "d0", "clicks": "many"}\n')
    with pytest.raises(InputError, match="line 1: field 'clicks'"):
        read_teacher(str(path), documents)


def test_texts_may_name_any_view_and_must_be_of_this_text(tmp_path: Path) -> None:
    documents = corpus(1)
    path = tmp_path / "t.jsonl"
    record = {"_id": "d0", "audience": "bakers", "teacher": "m", "text_sha256": text_sha256(documents[0].text)}
    path.write_text(json.dumps(record) + "\n")
    wanted = [("audience", "bakers")]
    assert [(pair.aspect, pair.target) for pair in read_teacher(f"{path}=audience", documents)] == wanted
    with pytest.raises(
        InputError, match="nothing to learn for ids in the corpus"
    ):  # a field that nobody named is no view
        read_teacher(str(path), documents)
    path.write_text(json.dumps({**record, "prompts": {"audience": "audience/1/0"}}) + "\n")
    assert [(pair.aspect, pair.target) for pair in read_teacher(str(path), documents)] == wanted
    path.write_text(json.dumps({**record, "qa": "x", "text_sha256": "0" * 64}) + "\n")
    with pytest.raises(InputError, match="a different version of document 'd0'"):
        read_teacher(str(path), documents)
    path.write_text(json.dumps({**record, "_id": "other"}) + "\n")
    with pytest.raises(InputError, match="nothing to learn for ids in the corpus"):
        read_teacher(str(path), documents)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"doc": "d1", "summary": "x"}', "neither a document's '_id'"),
        ('{"summary": "x"}', "neither a document's '_id'"),
        ('{"_id": null, "summary": "x"}', "neither a document's '_id'"),
        ('{"_id": [1], "summary": "x"}', "neither a document's '_id'"),
        ('{"query": "x", "doc": "d1"}', "field 'doc_id'"),
        ('{"q": "x", "doc_id": "d1"}', "field 'query'"),
        ('{"query": "x", "doc_id": "d1", "clicks": 0.5}', "field 'clicks'"),
    ],
)
def test_a_row_that_says_nothing_usable_is_not_passed_over(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"_id": "d0", "summary": "dough"}\n' + line + "\n")
    with pytest.raises(InputError, match=f"line 2: .*{reason}"):
        read_teacher(str(path), corpus(2))
    skipped = Skipped(bad_rows=True)
    assert len(read_teacher(str(path), corpus(2), skipped)) == 1
    assert len(skipped.rows) == 1


def test_clicks_are_counted_alike_whoever_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "clicks.jsonl"
    path.write_text('{"query": "dough", "doc_id": "d0", "clicks": 3.0}\n')
    assert read_clicks(path) == (["dough"], [{"d0": 3}])
    assert [lesson.weight for lesson in read_teacher(str(path), corpus(1))] == [2.0]
    for value, words in (("NaN", "null or not finite"), ("null", "null or not finite"), ('"3"', "not a count but '3'")):
        path.write_text(f'{{"query": "dough", "doc_id": "d0", "clicks": {value}}}\n')
        with pytest.raises(InputError, match=f"field 'clicks' is {words}"):
            read_clicks(path)


def test_a_tab_at_the_end_of_a_pair_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("d0\td1\t\n")
    with pytest.raises(InputError, match="line 1: the line ends with a tab; remove it"):
        read_teacher(str(tmp_path / "pairs.tsv"), corpus(2))


@pytest.mark.parametrize(
    "content",
    [
        "query-id\tcorpus-id\tscore\nd0\td1\t1\n",
        "qid\tdocid\trelevance\nd0\td1\t1\n",
        "d0\td1\t0\n",
        "d0\td1\n d1\td0\t0.0\n",
        "d0\t0\td1\t1\n",
    ],
)
def test_judgments_are_not_taken_for_pairs(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match="judgments with grades are not pairs"):
        read_teacher(str(path), corpus(2))


def test_a_head_line_says_what_other_columns_are(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("question-id\tanswer-id\tscore\taccepted\nd0\td1\t-3\t0\n")
    assert len(read_teacher(str(path), corpus(2))) == 1


def test_a_weight_that_no_sum_can_hold_is_refused() -> None:
    with pytest.raises(InputError, match="not a number above 0"):
        read_spec("pairs.tsv@1e300")
