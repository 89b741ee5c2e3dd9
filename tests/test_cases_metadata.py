"""Cases of tests/cases: metadata and filters, whose chunk a chunk is, texts that were replaced or deleted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cases_data import CASES, accepted, refused, run
from conftest import random_explainer

from xetrieval.index import open_index


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metadata") / "toy"
    random_explainer().save(folder)
    return folder


def build(toy: Path, corpus: Path, index: Path) -> Path:
    accepted(run("index", "build", corpus, "--output", index, "-x", toy))
    return index


def hits(index: Path, query: str, *options: object) -> list[dict[str, Any]]:
    done = accepted(run("search", index, query, "-k", 10, "--format", "json", *options))

    def refuse(name: str) -> None:
        raise AssertionError(f"a bare {name} in JSON")

    found: list[dict[str, Any]] = json.loads(done.stdout, parse_constant=refuse)["hits"]
    return found


def ids(found: list[dict[str, Any]]) -> str:
    return " ".join(sorted(hit["doc_id"] for hit in found))


@pytest.fixture(scope="module")
def shelf(toy: Path) -> Path:
    return build(toy, CASES / "corpus" / "filters.jsonl", toy.parent / "filters")


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("ok=true", "a c"),
        ("year=2020", "b"),
        ("year>=2020", "b c"),
        ("n=7", "b"),
        ("price<3", "a"),
        ("price=20", "b"),
        ("src.depth>9", "b"),
        ("date<2025-01-01", "a"),
        ("date>=2025-01-01", "b c"),
        ("src.site=en", "b c"),
        ("tags~slow", "a c"),
    ],
)
def test_filters_of_the_command_line_and_of_python(shelf: Path, condition: str, wanted: str) -> None:
    assert ids(hits(shelf, "tyres", "--filter", condition)) == wanted
    assert " ".join(sorted(hit.doc_id for hit in open_index(shelf).search("tyres", 10, filters=[condition]))) == wanted


def test_an_unknown_field_and_a_malformed_filter_are_refused(shelf: Path) -> None:
    refused(run("search", shelf, "tyres", "--filter", "nope=1"), "nope", "src.site", "year")
    refused(run("search", shelf, "tyres", "--filter", "year"), "site=cs")


def test_filters_over_http_have_the_types_of_json(shelf: Path) -> None:
    pytest.importorskip("fastapi", reason='pip install "xetrieval[ui]"')
    from starlette.testclient import TestClient

    from xetrieval.serve.app import create_app

    def search(filters: Any) -> Any:
        answer = client.post("/v1/search", json={"query": "tyres", "filters": filters, "explain": False})
        return (answer.status_code, ids(answer.json()["hits"]) if answer.status_code == 200 else answer.json()["error"])

    app = create_app({"shelf": open_index(shelf)}, random_explainer())
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        assert search({"year": [2020]}) == (200, "b")
        assert search({"ok": [True]}) == (200, "a c")
        assert search({"ok": True, "year": {">=": 2020}}) == (200, "c")
        assert search({"src.site": ["cs", "en"], "tags": {"~": "slow"}}) == (200, "a c")
        assert search(["year>=2020", "tags~slow"]) == (200, "c")
        assert search({"price": 1.5}) == (200, "a")
        assert search({"date": {"<": "2025-01-01"}}) == (200, "a")
        assert search({"nope": [1]})[0] == 400
        assert "values are numbers" in search({"year": ["2020"]})[1]
        assert search({"ok": [1]})[0] == 400  # true is no number
        for wrong in (
            {"year": {"~~": 1}},
            {"year": [[1]]},
            {"year": None},
            "year=2020",
            {f"f{i}": 1 for i in range(60)},
            {"year": list(range(2000))},
            ["x" * 30_000],
        ):
            status, error = search(wrong)
            assert status in (400, 422), wrong
            assert len(error) < 1000


@pytest.mark.slow
@pytest.mark.parametrize("case", ["parentdict", "parentlist", "parentstr", "startdate", "startbig"])
def test_parent_start_and_end_are_the_users_own_fields(toy: Path, tmp_path: Path, case: str) -> None:
    index = build(toy, CASES / "corpus" / f"{case}.jsonl", tmp_path / "index")
    found = hits(index, "tyres")
    assert ids(found) == "a b c"
    record = json.loads((CASES / "corpus" / f"{case}.jsonl").read_text().splitlines()[1 if case == "parentstr" else 0])
    own = {name: value for name, value in record.items() if name in ("parent", "start", "end")}
    assert next(hit for hit in found if hit["doc_id"] == record["_id"])["metadata"] == own
    assert not any({"parent", "start", "end"} & set(hit) for hit in found)
    done = accepted(run("index", "delete", index, "a"))
    assert "2 documents left" in done.stderr
    assert ids(hits(index, "tyres")) == "b c"


def test_large_whole_numbers_are_told_apart(toy: Path, tmp_path: Path) -> None:
    index = build(toy, CASES / "corpus" / "startbig.jsonl", tmp_path / "index")
    assert ids(hits(index, "tyres", "--filter", "start=1180591620717411303424")) == "a"
    assert ids(hits(index, "tyres", "--filter", "start=1180591620717411303425")) == ""
    assert ids(hits(index, "tyres", "--filter", "end>1180591620717411303428")) == "a"


def test_fields_beside_id_title_and_text_are_metadata(toy: Path, tmp_path: Path) -> None:
    index = build(toy, CASES / "corpus" / "toplevel.jsonl", tmp_path / "index")
    assert ids(hits(index, "tyres", "--filter", "site=cs")) == "a c"
    assert ids(hits(index, "tyres", "--filter", "year>2020", "--filter", "year<2023")) == "b"


@pytest.mark.slow
def test_a_column_of_whole_numbers_with_a_gap(toy: Path, tmp_path: Path) -> None:
    """pandas writes such a column as floats; decimals, dates and booleans keep their kinds too."""
    arrow = pytest.importorskip("pyarrow", reason='pip install "xetrieval[data]"')
    parquet = pytest.importorskip("pyarrow.parquet", reason='pip install "xetrieval[data]"')
    from datetime import date, datetime
    from decimal import Decimal

    table = arrow.table(
        {
            "id": ["a", "b", "c"],
            "text": ["Yeast works slowly.", "Check the tyres.", "A vaccine trains."],
            "year": [2019.0, float("nan"), 2020.0],
            "price": [Decimal("1.50"), Decimal("20.00"), None],
            "day": [date(2024, 5, 1), date(2025, 3, 9), None],
            "at": [datetime(2024, 5, 1, 12), datetime(2025, 3, 9, 1), None],
            "ok": [True, False, None],
            "src": [{"depth": 2}, {"depth": 11}, None],
        }
    )
    parquet.write_table(table, tmp_path / "c.parquet")
    index = build(toy, tmp_path / "c.parquet", tmp_path / "index")
    for condition, wanted in (
        ("year=2020", "c"),
        ("year!=2020", "a b"),
        ("price<3", "a"),
        ("price=20", "b"),
        ("day>=2025-01-01", "b"),
        ("at=2024-05-01", "a"),
        ("ok=false", "b"),
        ("src.depth>9", "b"),
    ):
        assert ids(hits(index, "tyres", "--filter", condition)) == wanted, condition
    metadata = {hit["doc_id"]: hit["metadata"] for hit in hits(index, "tyres")}
    assert metadata["b"]["year"] is None
    assert metadata["a"]["price"] == 1.5
    assert metadata["a"]["day"] == "2024-05-01"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "gone"), [("pieces", "pieces_changed", "SECRETWORD"), ("pieces_changed", "pieces", "gardening")]
)
def test_a_changed_page_leaves_no_old_piece(toy: Path, tmp_path: Path, first: str, second: str, gone: str) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(CASES / "folder" / first, docs)
    index = build(toy, docs, tmp_path / "index")
    shutil.copytree(CASES / "folder" / second, docs, dirs_exist_ok=True)
    done = accepted(run("index", "add", index, docs))
    opened = open_index(index)
    left = [hit.document for hit in opened.search("SECRETWORD kidneys", 100)]
    assert len(left) == len(opened)
    assert not any(gone in document.text for document in left)
    assert {document.parent for document in left} == {"a.md", "b.md"}
    if second == "pieces_changed":
        assert "2 documents" in done.stderr
        assert not any(gone in hit["snippet"] for hit in hits(index, "SECRETWORD kidneys"))


@pytest.mark.slow
def test_the_report_names_the_line_that_stands_in_every_page(toy: Path, tmp_path: Path) -> None:
    index = build(toy, CASES / "folder" / "frontmatter", tmp_path / "index")
    line = "Still stuck? Write to help@example.org and we answer within a day."
    assert line in accepted(run("index", "report", index)).stdout
    found = json.loads(accepted(run("index", "report", index, "--format", "json")).stdout)["boilerplate_lines"]
    assert {"line": line, "documents": 5, "fraction": 1.0} in found
    assert ids(hits(index, "get my money back", "--filter", "tags~billing")) == "refund.md"
    assert ids(hits(index, "password", "--filter", "updated>2025-01-01")) == "login.md"
