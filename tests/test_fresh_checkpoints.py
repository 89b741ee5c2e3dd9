"""Foreign checkpoints with odd settings, autoencoders asked for odd matrices, counts that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit

from xetrieval.encoders import CachedEncoder, HashingEncoder
from xetrieval.encoders.vector_files import read_vectors
from xetrieval.errors import DamagedError, InputError
from xetrieval.index import BuildConfig, Corpus, build_index, open_index
from xetrieval.sae.formats import FORMATS

ODD: list[Any] = [None, -1, "x", [], {}, 10**30, True]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file"), [("dictionary-learning", "config.json"), ("saelens", "cfg.json")])
def test_a_setting_of_the_wrong_kind_is_refused_or_does_not_count(tmp_path: Path, name: str, file: str) -> None:
    if name == "dictionary-learning":
        pytest.importorskip("torch")
    FORMATS[name].write(random_sae(), tmp_path / "made")
    written = json.loads((tmp_path / "made" / file).read_text(encoding="utf-8"))
    changed = [{**written, field: value} for field in written for value in ODD]
    for inner in ODD:
        changed.append({**written, "trainer": {"dict_class": inner}})
    refused = 0
    for config in changed:
        (tmp_path / "made" / file).write_text(json.dumps(config), encoding="utf-8")
        try:
            FORMATS[name].read(tmp_path / "made")
        except (DamagedError, InputError):
            refused += 1
    assert refused > 3


@pytest.mark.parametrize(
    "x",
    [
        unit(3, 5),
        unit(3)[0],
        unit(3)[None],
        np.zeros((3, 64), complex),
        [["a"] * 64],
        [[1.0] * 64, [1.0]],
        np.eye(64) > 0,
    ],
    ids=["dimension", "one", "three axes", "complex", "text", "ragged", "booleans"],
)
def test_an_autoencoder_takes_a_matrix_of_its_dimension(x: Any) -> None:
    with pytest.raises(InputError, match="autoencoder"):
        random_sae().encode(x)


def test_an_autoencoder_takes_lists_and_other_floats() -> None:
    sae, x = random_sae(), unit(3)
    plain = sae.encode(x)
    for same in (x.tolist(), x.astype(np.float64), np.asfortranarray(x)):
        codes = sae.encode(same)
        assert (codes.features == plain.features).all()
        np.testing.assert_allclose(codes.values, plain.values, atol=1e-6)


def test_a_folder_of_encoded_texts_is_a_text_or_a_path(tmp_path: Path) -> None:
    texts = ["steep the leaves"]
    kept = CachedEncoder(HashingEncoder(), str(tmp_path / "kept")).encode_query(texts)
    assert (CachedEncoder(HashingEncoder(), tmp_path / "kept").encode_query(texts) == kept).all()
    assert CachedEncoder(HashingEncoder(), str(tmp_path / "kept")).knows(texts[0], "query")


@pytest.mark.slow
@pytest.mark.parametrize("k", [2.5, "3", True, 0, -1, float("nan"), None])
def test_a_count_of_hits_is_a_whole_number(tmp_path: Path, k: Any) -> None:
    corpus = tmp_path / "c.jsonl"
    corpus.write_text('{"_id": "a", "text": "tea leaf"}\n{"_id": "b", "text": "bike chain"}\n', encoding="utf-8")
    build_index(Corpus((corpus,)), random_explainer(), tmp_path / "index", BuildConfig())
    index = open_index(tmp_path / "index")
    with pytest.raises(InputError, match="at least 1"):
        index.search("tea", k=k)
    if k is not None:  # there it is the usual number
        with pytest.raises(InputError, match="at least 1"):
            index.why("tea", "a", k=k)
    assert [hit.doc_id for hit in index.search("tea", k=np.int64(1))] == ["a"]


def test_ids_beside_a_parquet_file_count_and_two_lists_that_differ_are_refused(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows, path = unit(2).tolist(), tmp_path / "v.parquet"
    (tmp_path / "v.parquet.ids.txt").write_text("b\na\n", encoding="utf-8")
    parquet.write_table(arrow.table({"vector": rows}), path)
    assert read_vectors(path).ids == ("b", "a")
    parquet.write_table(arrow.table({"id": ["b", "a"], "vector": rows}), path)
    assert read_vectors(path).ids == ("b", "a")
    parquet.write_table(arrow.table({"id": ["a", "b"], "vector": rows}), path)
    with pytest.raises(InputError, match="its ids differ"):
        read_vectors(path)
