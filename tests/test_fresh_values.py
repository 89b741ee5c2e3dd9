"""Values as people wrote them: titles that look like numbers, decimals, blanks in filters, paths with '..'."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

import xetrieval
from xetrieval import BuildConfig, Corpus, SteeringProfile, build_index, open_encoder
from xetrieval.configs import InternalizerConfig
from xetrieval.data.front_matter import split_front_matter
from xetrieval.data.html_text import page_text
from xetrieval.data.values import plain
from xetrieval.errors import InputError
from xetrieval.files import check_new_folder, is_vacant, new_folder, write_text
from xetrieval.files.atomic import check_apart
from xetrieval.files.folders import sweep
from xetrieval.index.search.ranking import _checked_weights
from xetrieval.index.store.filters import parse_filters


@pytest.mark.parametrize("title", ["3.10", "1.10", "1e3", "+1", "-0", "true", "010", "2024-01-02"])
def test_a_title_stays_as_it_is_written(title: str) -> None:
    assert split_front_matter(f"---\ntitle: {title}\n---\ntext\n").facts == {"title": title}


@pytest.mark.parametrize(
    ("written", "value"),
    [(".5", 0.5), ("5.", 5.0), ("-.5e1", -5.0), ("3.10", 3.1), ("7", 7), ("010", "010"), ("0x10", "0x10"), (".", ".")],
)
def test_a_number_of_front_matter_is_a_decimal_one(written: str, value: object) -> None:
    read = split_front_matter(f"---\ntitle: A\nscore: {written}\n---\ntext\n").facts["score"]
    assert (read, type(read)) == (value, type(value))


def test_all_decimals_of_a_column_are_numbers() -> None:
    assert plain(Decimal("1234.567890123456789012")) == 1234.567890123456789012
    assert plain(Decimal("12345678901234567890")) == 12345678901234567890


@pytest.mark.parametrize(
    ("condition", "text"), [("site=cs", "cs"), ("site= cs", " cs"), ("site = cs", "cs"), ("site=cs ", "cs ")]
)
def test_blanks_after_a_close_operator_belong_to_the_value(condition: str, text: str) -> None:
    (one,) = parse_filters([condition])
    assert (one.field, one.values[0].text) == ("site", text)


def test_blanks_around_a_number_mean_nothing() -> None:
    assert parse_filters(["year>= 2020"])[0].values[0].number == 2020


def test_a_path_through_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "thesis.txt").write_text("keep")
    around = tmp_path / "new" / ".." / "docs"
    for check in (is_vacant, check_new_folder):
        with pytest.raises(InputError, match="no such folder"):
            check(around)
    with pytest.raises(InputError, match="no such folder"), new_folder(around):
        pass
    with pytest.raises(InputError, match="no such folder"):
        write_text(around / "thesis.txt", "lost")
    with pytest.raises(InputError, match="no such folder"):
        check_apart(around / "thesis.txt", docs / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["docs"]
    assert (docs / "thesis.txt").read_text() == "keep"
    write_text(docs / ".." / "docs" / "more.txt", "x")  # a folder that is there can be gone back through
    assert (docs / "more.txt").read_text() == "x"


def test_the_journal_of_a_killed_write_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".documents.sqlite.7b65cb2b.xetrieval-journal").write_bytes(b"")
    (tmp_path / "mine-journal").write_bytes(b"")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine-journal"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>river</p><!--><p>stone</p><p>cloud</p><!-- end -->", "river\nstone\ncloud"),
        ("<p>river</p><!-- c --!><p>stone</p><!-- d --><p>x</p>", "river\nstone\nx"),
        ("<!---><p>stone</p><!-- e --><p>x</p>", "stone\nx"),
        ("<p>stone</p><script>1</script\t\n bar><p>x</p>", "stone\nx"),
        ("<!-- <p>hidden --><p>river<!-->x", "riverx"),
        ("<script>a = '<!--';</script><p>seen</p>", "seen"),
        ("<!--[if !IE]><!--><p>seen</p><!--<![endif]-->", "seen"),
        ("one<!-- a -->two", "onetwo"),
        ("<style>p {}</style >after", "after"),
        ("<script>1</script>near<style>p {}</style><p>seen</p>", "near\nseen"),
    ],
)
def test_comments_and_scripts_end_where_browsers_end_them(html: str, text: str) -> None:
    assert page_text(f"<title>T</title>{html}") == ("T", text)


@pytest.mark.parametrize("weight", [True, None, "0.5", float("nan"), 1e9])
def test_a_weight_of_a_view_is_a_number(weight: object) -> None:
    with pytest.raises(InputError, match="is not a number from"):
        _checked_weights({"qa": weight})  # type: ignore[dict-item]


def test_weights_of_numpy_are_plain_floats() -> None:
    (weight,) = _checked_weights({"qa": np.float16(0.5)}).values()
    assert type(weight) is float


@pytest.mark.parametrize("validation", [-1, 0, 1.0, 1.5, True, math.nan, 1e308, "x"])
def test_the_fraction_of_validation_lies_between_0_and_1(validation: object) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        InternalizerConfig(validation=validation)  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("note", 5), ("note", "\ud800"), ("provenance", b"x"), ("note", None)])
def test_the_notes_of_a_profile_are_text(field: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{field} of a steering profile"):
        SteeringProfile({3: 2.0}, "digest", **{field: value})  # type: ignore[arg-type]


def test_a_profile_is_not_saved_over_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        SteeringProfile({3: 2.0}, "digest").save(tmp_path)


@pytest.mark.parametrize("wrong", [{"shard_rows": 1.5}, {"shard_rows": None}, {"block": math.nan}, {"block": 10**30}])
def test_the_sizes_of_a_build_are_whole_numbers(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="whole number"):
        BuildConfig(**wrong)  # type: ignore[arg-type]


def test_an_index_is_built_from_paths_as_texts(tmp_path: Path) -> None:
    source = write_corpus(tmp_path / "c.jsonl", records(20))
    built = build_index(Corpus((str(source),)), random_explainer(), str(tmp_path / "ix"), SMALL)  # type: ignore[arg-type]
    assert built.added == 20


def test_a_function_without_numbers_is_refused() -> None:
    with pytest.raises(InputError, match="empty vectors"):
        open_encoder(lambda texts: np.zeros((len(texts), 0)), name="e", version="1")


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('name="=x"', ["=x"]),
        ('name = "=x"', ["=x"]),
        ('name!="=x"', ["~y", "", 'say "hi"', "2020", "back\\slash"]),
        ('name="~y"', ["~y"]),
        ('name~"=x"', ["=x"]),
        ('name=""', [""]),
        ("name=", [""]),
        ('name="2020"', ["2020"]),
        ('name="say \\"hi\\""', ['say "hi"']),
        ('name=say "hi"', ['say "hi"']),
        ('name="back\\\\slash"', ["back\\slash"]),
    ],
)
def test_a_value_in_quotation_marks_is_a_text_whatever_it_begins_with(
    condition: str, found: list[str], tmp_path: Path
) -> None:
    names = ["=x", "~y", "", 'say "hi"', "2020", "back\\slash"]
    rows = [{"_id": str(n), "text": "salt water", "name": name} for n, name in enumerate(names)]
    build_index(Corpus((write_corpus(tmp_path / "c.jsonl", rows),)), random_explainer(), tmp_path / "index")
    hits = xetrieval.open_index(tmp_path / "index").search("salt", k=9, filters=[condition])
    assert sorted(names[int(hit.doc_id)] for hit in hits) == sorted(found)


@pytest.mark.parametrize("condition", ['name="a" or "b"', 'name="\\x"', 'name="\\ud800"'])
def test_quotation_marks_that_hold_no_text_are_refused(condition: str) -> None:
    with pytest.raises(InputError, match="is a JSON string"):
        parse_filters([condition])


def test_a_number_in_quotation_marks_is_no_number() -> None:
    [one] = parse_filters(['year="2020"'])
    assert one.values[0].number is None
    with pytest.raises(InputError, match='in quotation marks: name="=x"'):
        parse_filters(["name==x"])
