"""Filters on metadata: what they find is what a plain look at every document finds, whatever the metadata."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from sqlite3 import connect
from typing import Any
from unittest import mock

import numpy as np
import pytest
from conftest import random_explainer
from hypothesis import given, settings
from hypothesis import strategies as st
from index_data import write_corpus

from xetrieval.data import Document
from xetrieval.data.values import plain
from xetrieval.errors import InputError, NotComparedWarning
from xetrieval.explain import Reading
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.index.ask.answer import search_answer
from xetrieval.index.build.delete import delete_documents
from xetrieval.index.search.mode import SearchOptions
from xetrieval.index.search.ranking import search
from xetrieval.index.store.filters import check_fields, matching_rows, parse_filters
from xetrieval.index.store.metadata import moment
from xetrieval.index.store.texts import Texts

BIG = 1 << 70


def stored(metadata: list[dict[str, Any]]) -> Texts:
    """A shard's texts with this metadata, one document each; in memory, where nothing waits for a disk."""
    with mock.patch("sqlite3.connect", return_value=connect(":memory:", check_same_thread=False)):
        texts = Texts(Path("documents.sqlite"), writable=True)
    documents = [Document(f"d{i}", "x", "x", f"d{i}", {"metadata": one}) for i, one in enumerate(metadata)]
    texts.add(0, documents, [Reading()] * len(documents))
    return texts


def find(texts: Texts, rows: int, filters: Any) -> list[int]:
    conditions = parse_filters(filters)
    kinds: dict[str, set[tuple[str, bool]]] = {}
    for name, kind, listed in texts.kinds():
        kinds.setdefault(name, set()).add((kind, listed))
    check_fields(conditions, {name: frozenset(found) for name, found in kinds.items()})
    return matching_rows(texts, rows, conditions).tolist()


# ---------------------------------------------------------------------- a plain look at every document


def values_at(value: Any, path: list[str], listed: bool = False) -> Iterator[tuple[Any, bool]]:
    if isinstance(value, list):
        for one in value:
            yield from values_at(one, path, True)
    elif isinstance(value, dict):
        if path and path[0] in value:
            yield from values_at(value[path[0]], path[1:], listed)
    elif not path and value is not None:
        yield value, listed


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def day_or_time(text: Any) -> tuple[int, int] | None:
    """Nanoseconds since 1970: the first of it, and the first after it."""
    if not isinstance(text, str) or not re.match(r"\d{4}-\d\d-\d\d($|[T ])", text):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    digits = re.search(r"\.\d{6}(\d+)", text)
    start = (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    start += int(digits[1].ljust(3, "0")) if digits else 0
    return start, start + (86_400 * 10**9 if len(text) == 10 else 1)


def same(stored: Any, asked: Any) -> bool:
    if isinstance(asked, bool) or isinstance(stored, bool):
        return isinstance(asked, bool) and isinstance(stored, bool) and asked == stored
    if is_number(asked) or is_number(stored):
        return is_number(asked) and is_number(stored) and asked == stored
    moment, own = day_or_time(asked), day_or_time(stored)
    return stored == asked or bool(moment and own and moment[0] <= own[0] < moment[1])


def brute(document: dict[str, Any], field: str, sign: str, asked: Any) -> bool:
    there = list(values_at(document, field.split(".")))
    if sign == "=":
        return any(same(value, asked) for value, _ in there)
    if sign == "!=":
        return not any(same(value, asked) for value, _ in there)
    if sign == "~":
        return any(
            same(value, asked) if listed else isinstance(value, str) and isinstance(asked, str) and asked in value
            for value, listed in there
        )
    compare = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
    for value, _ in there:
        if is_number(value) and is_number(asked) and compare[sign](value, asked):
            return True
        moment, own = day_or_time(asked), day_or_time(value)
        if moment and own:
            found = {
                "<": own[0] < moment[0],
                "<=": own[0] < moment[1],
                ">": own[0] >= moment[1],
                ">=": own[0] >= moment[0],
            }
            if found[sign]:
                return True
    return False


NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, 2.0, -1.5, 1e300, 2.0**53, 2**53 + 1, BIG, BIG + 1, float(BIG), -BIG, 2**63 - 1, 2**63]),
)
DATES = st.sampled_from(
    ["2024-05-01", "2025-01-01", "2025-01-01T00:00:00", "2025-01-01 12:30:00.5", "2025-01-01T01:00:00+02:00"]
    + [f"2025-01-01T00:00:00{fraction}" for fraction in (".0000005", ".000000500", ".000001", ".0000011Z")]
)
TEXTS = st.one_of(
    st.sampled_from(["a", "ab", "2", "true", "", "é'\"", "x" * 300, "x" * 300 + "y", "2025-13-45"]), DATES
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=2)
    ),
    max_leaves=5,
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(["f", "g"]), VALUES, max_size=2), min_size=1, max_size=6)
CONDITION = st.tuples(
    st.sampled_from(["f", "g", "f.p", "f.q.p"]),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~"]),
    st.one_of(st.booleans(), NUMBERS, TEXTS),
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(documents=DOCUMENTS, conditions=st.lists(CONDITION, min_size=1, max_size=2, unique_by=lambda one: one[:2]))
def test_filters_find_what_a_look_at_every_document_finds(documents: Any, conditions: Any) -> None:
    filters: dict[str, dict[str, Any]] = {}
    for field, sign, asked in conditions:
        filters.setdefault(field, {})[sign] = asked
    wanted = [i for i, one in enumerate(documents) if all(brute(one, *condition) for condition in conditions)]
    texts = stored(documents)
    found = refused_or_found(texts, len(documents), filters)
    texts.close()
    if found is None:  # refused, but never a filter each of whose conditions would find something
        positive = [(field, "=" if sign == "!=" else sign, asked) for field, sign, asked in conditions]
        assert not all(any(brute(one, *condition) for one in documents) for condition in positive)
    else:
        assert found == wanted


def refused_or_found(texts: Texts, rows: int, filters: Any) -> list[int] | None:
    try:
        return find(texts, rows, filters)
    except InputError:
        return None


# ---------------------------------------------------------------------- one by one

SHELF = [
    {"ok": True, "year": 2019, "price": 1.5, "date": "2024-05-01", "tags": ["bread", "slow"], "src": {"depth": 2}},
    {"ok": False, "year": 2020.0, "price": 20.0, "date": "2025-03-09", "tags": ["bike"], "src": {"depth": 11}},
    {"ok": True, "year": 2023, "price": 3, "date": "2025-01-01T10:00:00Z", "tags": ["slow"], "name": "slow cooking"},
    {"code": "007", "year": "2020", "note": "a=b", "n": None, "authors": [{"name": "Ada"}, {"name": "Bo"}]},
]


@pytest.fixture(scope="module")
def shelf() -> Texts:
    return stored(SHELF)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["ok=true"], [0, 2]),
        ({"ok": [True]}, [0, 2]),
        ({"ok": False}, [1]),
        (["year=2020"], [1, 3]),  # the number, and the text
        ({"year": 2020}, [1]),
        ({"year": "2020"}, [3]),
        ({"year": [2019, 2023.0]}, [0, 2]),
        ({"year": np.int64(2020)}, [1]),
        ({"price": Decimal("1.50")}, [0]),
        (["year = 2019", "year = 2023"], [0, 2]),
        (["year>=2020"], [1, 2]),
        ({"year": {">": 2019, "<=": 2020}}, [1]),
        (["year!=2020"], [0, 2]),
        (["price<3"], [0]),
        (["price<=3"], [0, 2]),
        (["src.depth>9"], [1]),
        (["date<2025-01-01"], [0]),
        (["date<=2025-01-01"], [0, 2]),  # the whole day
        (["date>2025-01-01"], [1]),
        (["date=2025-01-01"], [2]),
        ({"date": date(2025, 1, 1)}, [2]),
        ({"date": {">=": datetime(2025, 1, 1, 10, 0, 1)}}, [1]),
        (["date>=2025-01-01T12:00:00+02:00"], [1, 2]),
        (["tags~slow"], [0, 2]),
        (["tags=slow", "tags=bike"], [0, 1, 2]),
        (["tags~slow", "tags~bread"], [0]),
        (["name~cook"], [2]),
        (["name~Cook"], []),
        (["authors.name=Bo"], [3]),
        (["authors.name~Ada"], [3]),
        (["code=007"], [3]),
        (["note=a"], []),
        ({"note": "a=b"}, [3]),
        ([], [0, 1, 2, 3]),
        ({}, [0, 1, 2, 3]),
    ],
)
def test_what_a_filter_finds(shelf: Texts, filters: Any, wanted: list[int]) -> None:
    assert find(shelf, len(SHELF), filters) == wanted


TIMES = [{"at": f"2025-01-01T10:00:00{fraction}"} for fraction in ("", ".000000001", ".123456788", ".123456789", ".5")]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("at=2025-01-01T10:00:00", [0]),
        ("at!=2025-01-01T10:00:00", [1, 2, 3, 4]),
        ("at>2025-01-01T10:00:00", [1, 2, 3, 4]),
        ("at<=2025-01-01T10:00:00Z", [0]),
        ("at<2025-01-01T10:00:00.123456789", [0, 1, 2]),
        ("at>=2025-01-01T11:00:00.123456789+01:00", [3, 4]),
        ("at=2025-01-01T11:00:00.123456789+01:00", [3]),
        ("at<=2025-01-01T10:00:00.1234568", [0, 1, 2, 3]),
        ("at>2025-01-01T10:00:00.123456788", [3, 4]),
        ("at=2025-01-01", [0, 1, 2, 3, 4]),
        ("at>2025-01-01", []),
    ],
)
def test_times_are_compared_to_the_nanosecond(condition: str, wanted: list[int]) -> None:
    texts = stored(TIMES)
    found = find(texts, len(TIMES), [condition])
    texts.close()
    assert found == wanted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (["nope=1"], "this index has authors.name, code, date"),
        (["n=7"], "no document has that field"),
        ({"ok": 1}, "values are true or false; 1 is of a different kind"),
        (["ok=1"], "values are true or false"),
        (["src.depth=deep"], "values are numbers; deep is of a different kind"),
        ({"src.depth": "11"}, 'values are numbers; "11" is of a different kind'),
        (["src.depth>deep"], "compares numbers and dates"),
        (["src.depth<2025-01-01"], "values are numbers"),
        (["date>=2025"], "values are dates"),
        (["src.depth<1e400"], "1e400 is too large; < compares numbers of 64 bits"),
        (["tags>2"], "values are text; > compares numbers and dates"),
        (["src.depth~1"], "~ searches lists and texts"),
        (["year"], "write FIELD=VALUE"),
        (["=2020"], "write FIELD=VALUE"),
        (["year=>2020"], "no value after ="),
        (["year==2020"], "no value after ="),
        (["year<"], "no value after <"),
        (["year>=1e999"], "compares numbers"),
        ({"year": []}, "an empty list"),
        ({"year": {}}, "give a value"),
        ({"year": {"~=": 3}}, "is not an operator; choose from ="),
        ({"year": {">": [1, 2]}}, "takes one value"),
        ({"year": None}, "null is neither"),
        ({"year": math.nan}, "nan is neither"),
        ({"year": [[2020]]}, "[2020] is neither"),
        ({"": 1}, "non-empty"),
        ({"tags": {"~": ""}}, "needs some text"),
        ({"tags": "\ud800"}, "half a character"),
        ({"\udcff": 1}, "half a character"),
        (["tags=\udcff"], "half a character"),
        (["\ud800"], "not a condition"),
        ({"year": 10**5000}, "more than 1,024 bits"),
        ("year=2020", "give a list of conditions"),
        ([2020], "not a condition"),
        (["year=1"] * 1001, "at most 1,000"),
        ([f"f{i}=1" for i in range(51)], "at most 50"),
        ({"tags": "x" * 10_001}, "longer than 10,000"),
    ],
)
def test_what_is_refused(shelf: Texts, filters: Any, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as refused:
        find(shelf, len(SHELF), filters)
    assert len(str(refused.value).encode()) < 500


def test_values_are_kept_as_json_holds_them() -> None:
    given_values = {
        "day": date(2024, 5, 1),
        "time": datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
        "price": Decimal("19.990"),
        "long": Decimal("12345678901234567.891"),
        "gap": math.nan,
        "all": {3},
        1: np.float32(0.5),
        "bytes": b"\xff",
        "inner": ({"x": np.array([1, 2])},),
    }
    assert json.loads(json.dumps(plain(given_values), allow_nan=False)) == {
        "day": "2024-05-01",
        "time": "2024-05-01T12:30:00+00:00",
        "price": 19.99,
        "long": 12345678901234567.891,
        "gap": None,
        "all": [3],
        "1": 0.5,
        "bytes": "ff",
        "inner": [{"x": [1, 2]}],
    }
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(InputError, match="nested more than 100"):
        plain(deep)


@pytest.mark.parametrize("zone", ["+00", "-05", "+01", "+0130", "+01:30"])
@pytest.mark.parametrize("between", ["T", " "])
def test_offsets_of_whole_hours_are_read(zone: str, between: str) -> None:
    written = f"2024-01-01{between}10:00:00{zone}"
    when = moment(written)
    assert when is not None
    assert when[0] == int(datetime.fromisoformat(written).timestamp()) * 10**9


ODD = [
    "2024-01",
    "20240101",
    "2024-01-01T24:00:00",
    "2024-01-01T10:00:00.1234567891",
    "2024-01-01t10:00:00z",
    "x" * 300,
]


def test_texts_that_are_not_compared_with_a_date_are_counted(tmp_path: Path) -> None:
    values = ["2024-01-01 10:00:00+00", ["2024-01-02", "2024-01-02T00:00"], *ODD]
    rows = [{"_id": f"d{i}", "text": f"word{i}", "metadata": {"at": value}} for i, value in enumerate(values)]
    build_index(Corpus((write_corpus(tmp_path / "c.jsonl", rows),)), random_explainer(), tmp_path / "index")
    index = open_index(tmp_path / "index")
    with pytest.warns(NotComparedWarning, match="not compared in 6 documents, whose 'at'"):
        assert index.matching(["at>=2024-01-01"]).tolist() == [0, 1]
    with pytest.warns(NotComparedWarning):
        found = search(index, "word1", 3, SearchOptions(), ["at>=2024-01-01"])
    assert "not compared in 6 documents" in search_answer(found, None, explain=False, top=None).notes[-1]
    assert index.matching(["at=2024-01"]).tolist() == [2]
    delete_documents(tmp_path / "index", [f"d{i}" for i in range(2, 8)])
    assert open_index(tmp_path / "index").matching(["at>=2024-01-02"]).tolist() == [1]


def test_what_to_write_for_objects_and_for_names_with_operators() -> None:
    kinds = {"a.b": frozenset({("text", False)}), "c=d": frozenset({("text", False)})}
    with pytest.raises(InputError, match=r"objects; filter one of their fields, e\.g\. 'a\.b'"):
        check_fields(parse_filters(["a=top"]), kinds)
    with pytest.raises(InputError, match="as JSON"):
        check_fields(parse_filters(["absent=1"]), kinds)
    check_fields(parse_filters({"c=d": "x"}), kinds)
