"""Ids as other tools write them: none is lost, and one that is taken is refused for the true reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import random_explainer

from xetrieval.configs import ChunkConfig
from xetrieval.data.corpus import Document, document_of
from xetrieval.data.lines import Line
from xetrieval.errors import InputError
from xetrieval.index import BuildConfig, Corpus, build_index


def _metadata(**record: object) -> dict[str, object]:
    document = document_of(Line(Path("c.jsonl"), 1, {"text": "salt", **record}))
    assert isinstance(document, Document)
    found: dict[str, object] = document.fields["metadata"]
    return found


def test_an_id_beside_another_is_metadata_and_not_lost() -> None:
    assert _metadata(_id="m", id="n") == {"id": "n"}
    assert _metadata(_id="m", id=7, metadata={"id": "given"}) == {"id": "given"}
    assert _metadata(_id="m", id="m") == _metadata(id="n") == _metadata(_id=None, id="n") == _metadata(_id="m") == {}


def test_a_document_named_like_a_piece_is_refused_for_that(tmp_path: Path) -> None:
    rows = [{"_id": "a", "text": "salt and pepper. " * 20}, {"_id": "a#1", "text": "salt"}]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = Corpus((tmp_path / "c.jsonl",), ChunkConfig(16))
    with pytest.raises(InputError, match=r"duplicate document id 'a#1' in the corpus \(chunks are named ID#1"):
        build_index(corpus, random_explainer(), tmp_path / "index", BuildConfig())
    assert not (tmp_path / "index").exists()
