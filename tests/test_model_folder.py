"""Folders of sentence-transformers models that lack what others have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import unit

from xetrieval import open_encoder
from xetrieval.arrays import l2norm


def test_a_folder_of_static_embeddings_is_an_encoder(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    models = pytest.importorskip("sentence_transformers.models")
    from sentence_transformers import SentenceTransformer

    words = {"[UNK]": 0, **{f"word{number}": number + 1 for number in range(50)}}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    static = models.StaticEmbedding(tokenizer, embedding_weights=unit(51).astype(np.float32))
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / "model"))
    encoder = open_encoder(tmp_path / "model")  # no configuration file gives its dimension
    assert encoder.identity.dimension == 64
    found = l2norm(encoder.encode_query(["word1 word2"]))
    assert found[0] == pytest.approx(l2norm(unit(51)[[2, 3]].sum(axis=0)[None])[0], abs=1e-5)
