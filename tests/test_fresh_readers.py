"""Readers on inputs that a fresh attempt at breaking them used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xetrieval.configs import WeightsConfig
from xetrieval.data import Document, read_corpora
from xetrieval.data.benchmark import Benchmark, checked, own_rows
from xetrieval.data.front_matter import split_front_matter
from xetrieval.data.html_text import page_text
from xetrieval.errors import InputError
from xetrieval.evaluate import BenchmarkVectors
from xetrieval.evaluate.vectors import ranking
from xetrieval.evaluate.weights import _competition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<script src="a.js"/><p>river</p><script>var x;</script><p>stone</p>', "river\nstone"),
        ("<style/><p>river</p>", "river"),
        ("<p><![CDATA[a < b & c]]></p>", "a < b & c"),
        ("<script>//<![CDATA[\nhidden\n//]]></script><p>seen</p>", "seen"),
    ],
)
def test_xhtml_is_read_by_the_rules_of_xml(text: str, expected: str) -> None:
    assert page_text(text, xml=True)[1] == expected


def test_an_empty_style_in_a_drawing_hides_nothing_after_it() -> None:
    assert page_text("<p>river</p><svg><style/><path/></svg><p>stone</p>")[1] == "river\nstone"
    assert page_text("<p>river</p><script/>hidden</script><p>stone</p>")[1] == "river\nstone"


@pytest.mark.parametrize(
    ("html", "title", "text"),
    [
        ("<title>Using the <script> tag</title><p>Body</p>", "Using the <script> tag", "Body"),
        ("<title>Comment <!-- in title</title><p>Rest</p>", "Comment <!-- in title", "Rest"),
        ("<title>T</title><textarea><script>a</textarea><p>Rest</p>", "T", "<script>a\nRest"),
        ('<!DOCTYPE html [ <!ENTITY e "v"> ]><title>T</title><p>Rest</p>', "T", "]>\nRest"),  # as in browsers
        ('<title>T</title>a</foo bar="</baz>">b', "T", "ab"),
        ("<title>T</title><option>a</option><option>b</option><button>c</button>d", "T", "a\nb\nc\nd"),
        ("<title>T</title><svg><title>drawing</title><text>x</text></svg><p>y", "T", "x\ny"),
        ("<title>T</title><table><tr><td>a<td>b<tr><td>c</table>", "T", "a\nb\nc"),
        ("<title>T</title>a<p>b\0c", "T", "a\nbc"),
    ],
)
def test_html_is_read_as_browsers_read_it(html: str, title: str, text: str) -> None:
    assert page_text(html) == (title, text)


def test_a_page_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.html").write_text("<div>" * 500_000 + "x")
    with pytest.raises(InputError, match=r"deep.html.*nested more than 4,000 deep"):
        list(read_corpora([tmp_path]))
    assert page_text("<div>" * 3000 + "<b>" * 5000 + "x") == ("", "x")


@pytest.mark.parametrize("line", ["title: !foo bar", "title: !!str 12", "x: !!python/name:os.system a", "x: !foo [1]"])
def test_front_matter_with_a_tag_is_text_and_reported(line: str) -> None:
    found = split_front_matter(f"---\n{line}\n---\ntext")
    assert (found.facts, found.start, found.unread) == ({}, 0, True)


def test_a_file_of_front_matter_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ntitle: A\nfile: report.pdf\n---\nriver")
    (tmp_path / "b.md").write_text("river")
    first, second = read_corpora([tmp_path])
    assert first.fields["metadata"] == {"front_matter": {"file": "report.pdf"}, "file": "a.md"}
    assert second.fields["metadata"] == {"file": "b.md"}


def test_front_matter_with_a_file_and_the_name_that_it_would_get_is_a_bad_row(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\nfile: x\nfront_matter: y\n---\nriver")
    with pytest.raises(InputError, match="both file and front_matter"):
        list(read_corpora([tmp_path]))


def numbered(texts: list[str], queries: list[str], judged: dict[str, int]) -> Benchmark:
    documents = [Document(str(i), text, text, str(i), {}) for i, text in enumerate(texts)]
    ids = [str(i) for i in range(len(queries))]
    return Benchmark("toy", documents, ids, queries, dict.fromkeys(ids, judged))


def ranked(benchmark: Benchmark) -> list[list[int]]:
    """The ranking in the order of the documents: all score the same."""
    vectors = BenchmarkVectors(
        np.ones((len(benchmark.queries), 1), np.float32), np.ones((len(benchmark.documents), 1), np.float32)
    )
    return [[row for row in rows if row >= 0] for rows in ranking(benchmark, vectors, 10).tolist()]


def test_the_document_with_the_id_of_a_query_is_not_ranked_for_it_and_a_note_says_so() -> None:
    benchmark = checked(numbered(["river", "stone", "river"], ["cloud"], {"1": 1}))
    assert own_rows(benchmark) == [0]
    assert ranked(benchmark) == [[1]]  # the copy of document 0 is a repeated text
    assert benchmark.notes == ("queries with the id of a document, which is not ranked for them, as in BEIR: 1",)
    missed = checked(numbered(["river", "stone"], ["river"], {"0": 1}))
    assert ranked(missed) == [[1]]
    assert missed.notes[0].endswith("(1 of these documents are judged relevant, and count as missed)")
    apart = checked(numbered(["river", "stone"], ["cloud"], {"1": 1}))
    assert not checked(replace(apart, query_ids=["q"], judgments={"q": {"1": 1}}, notes=())).notes


def test_of_equal_texts_those_that_are_judged_relevant_are_ranked() -> None:
    texts = ["sea", "river", "river", "stone", "river"]  # the first has the id of the query
    assert ranked(numbered(texts, ["cloud"], {"2": 1, "4": 2})) == [[2, 3, 4]]
    assert ranked(numbered(texts, ["cloud"], {"3": 1})) == [[1, 3]]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.jsonl", "a.csv", "a.tsv"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_text_in_utf_16_is_refused_as_such(tmp_path: Path, name: str, encoding: str) -> None:
    text = {
        "jsonl": '{"_id": "a", "text": "Zebras eat grass"}\n',
        "csv": "_id,text\na,Zebras\n",
        "tsv": "_id\ttext\na\tx\n",
    }
    (tmp_path / "home").mkdir()
    path = tmp_path / "home" / name
    path.write_bytes(text.get(name[2:], "Zebras eat grass").encode(encoding))
    source = path.parent if name[2:] not in text else path
    with pytest.raises(InputError, match=r"UTF-16.*save it as UTF-8"):
        list(read_corpora([source]))


def test_a_document_with_the_id_of_its_query_still_counts_as_wanted_in_learning() -> None:
    benchmark = numbered(["river", "stone"], ["river"], {"0": 1})
    vectors = BenchmarkVectors(np.array([[1, 0]], np.float32), np.array([[1, 0], [0, 1]], np.float32))
    scores, wanted = _competition(benchmark, vectors, {}, [0], WeightsConfig())
    assert np.isfinite(scores).all()
    assert wanted.tolist() == [[1.0, 0.0]]
    other = numbered(["river", "stone"], ["river"], {"1": 1})
    assert np.isneginf(_competition(other, vectors, {}, [0], WeightsConfig())[0][0, 0]).tolist() == [True, False]
