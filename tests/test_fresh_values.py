"""Values as people wrote them: titles that look like numbers, decimals, blanks in filters, paths with '..'."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from xetrieval.data.front_matter import split_front_matter
from xetrieval.data.values import plain
from xetrieval.errors import InputError
from xetrieval.files import check_new_folder, is_vacant, new_folder, write_text
from xetrieval.files.atomic import check_apart
from xetrieval.files.folders import sweep
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
