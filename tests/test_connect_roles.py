"""Which column or field of a store has which role, as named in its URL: taken, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from connect_data import IDS, STORES, TEXTS

from xetrieval import connect
from xetrieval.errors import InputError
from xetrieval.index.build.stores import open_store


@pytest.mark.parametrize("scheme", ["chroma", "redis", "faiss"])
def test_a_store_without_columns_takes_no_role(scheme: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'text' is not the role of a column; such a store has no columns to choose"):
        open_store(f"{scheme}://{tmp_path}#docs?text=body")


def test_a_role_is_chosen_once_and_has_a_column(tmp_path: Path) -> None:
    for options in ("text=a&text=b", "text="):
        with pytest.raises(InputError, match=r"give one column as text: \?text=COLUMN"):
            open_store(f"duckdb://{tmp_path}/x.duckdb#docs?{options}")
    with pytest.raises(InputError, match=r"'text': give \?ROLE=COLUMN|give one column as text"):
        open_store(f"duckdb://{tmp_path}/x.duckdb#docs?text")


@pytest.mark.parametrize("name", ["qdrant", "qdrant_edge"])
def test_a_misspelt_field_of_payloads_is_refused(name: str, tmp_path: Path) -> None:
    store = STORES[name](tmp_path)
    again: Any = (
        (lambda columns: connect.Qdrant(store.client, "docs", columns=columns))
        if isinstance(store, connect.Qdrant)
        else (lambda columns: connect.QdrantEdge(store.shard, "dense", columns))  # type: ignore[attr-defined]
    )
    assert next(iter(again((("text", "text"),)).records())).document.text == TEXTS[IDS[0]]
    with pytest.raises(InputError, match="no field 'txt' for the text; payloads have id, text"):
        again((("text", "txt"),))
    with pytest.raises(InputError, match="'vector' is not the role of a column; choose from id, text, title"):
        open_store(f"{name.replace('_', '-')}://{tmp_path}#docs?vector=dense")
