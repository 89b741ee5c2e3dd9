"""What stands before a text is what sentence-transformers' own encode_query and encode_document put there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cases_data import made
from sentence_transformers import SentenceTransformer

from xetrieval.encoders import open_encoder

pytestmark = pytest.mark.slow


QUERY, DOCUMENT = ["how do vaccines work"], ["A vaccine trains the immune system."]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("encoders", tmp_path_factory.mktemp("made")) / "plain"


@pytest.mark.parametrize(
    "prompts",
    [
        {},
        {"query": "query: "},
        {"document": "passage: "},
        {"query": "query: ", "passage": "passage: "},
        {"document": "document: ", "passage": "passage: "},
        {"corpus": "corpus: "},
        {"query": "query: ", "clustering": "cluster: "},
    ],
)
def test_prompts_are_put_where_the_library_puts_them(plain: Path, prompts: dict[str, str]) -> None:
    settings = plain / "config_sentence_transformers.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "prompts": prompts}))
    encoder, theirs = open_encoder(plain), SentenceTransformer(str(plain), device="cpu")
    assert np.allclose(encoder.encode_query(QUERY), theirs.encode_query(QUERY), atol=1e-5)
    assert np.allclose(encoder.encode_document(DOCUMENT), theirs.encode_document(DOCUMENT), atol=1e-5)
    unused = [name for name in ("passage", "corpus") if name in prompts and "document" not in prompts]
    assert [note.split("'")[1] for note in encoder.notes if "is not put before documents" in note] == unused
