"""Checkpoints of other libraries: equal codes on random vectors, both ways. The libraries themselves: tests/parity."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import random_sae, unit
from safetensors.numpy import load_file, save_file

from xetrieval.errors import DamagedError, InputError
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.formats import FORMATS, convert
from xetrieval.sae.train import SaeConfig, train_sae

X = unit(300, seed=5) + 0.1


def forms() -> dict[str, SparseAutoencoder]:
    """One autoencoder of each form: k, one threshold of 0 (relu), one for all, one a feature."""
    top, rng = random_sae(), np.random.default_rng(0)
    thresholds = {
        "relu": np.zeros(128, np.float32),
        "one threshold": np.full(128, 0.05, np.float32),
        "thresholds": rng.uniform(0.01, 0.2, 128).astype(np.float32),
    }
    return {"topk": top} | {name: replace(top, k=None, thresholds=theta) for name, theta in thresholds.items()}


def same(one: SparseAutoencoder, other: SparseAutoencoder) -> None:
    """Equal codes, and equal reconstructions, on vectors that neither was made for."""
    a, b = one.encode(X), other.encode(X)
    assert np.allclose(a.dense(128), b.dense(128), atol=2e-6)
    assert (a.dense(128) > 0).sum() > 300
    assert np.allclose(one.decode(a), other.decode(b), atol=2e-5)


HOLDS_K_ALONE = ("release", "sparsify", "sentence-transformers")


@pytest.mark.parametrize("form", ["topk", "relu", "one threshold", "thresholds"])
@pytest.mark.parametrize("name", FORMATS)
def test_written_and_read_again_it_gives_the_same_codes(tmp_path: Path, name: str, form: str) -> None:
    sae = forms()[form]
    if form != "topk" and name in HOLDS_K_ALONE:
        with pytest.raises(InputError, match="above fixed thresholds"):
            FORMATS[name].write(sae, tmp_path / "out")
        assert not list(tmp_path.iterdir()), "nothing half-written"
        return
    FORMATS[name].write(sae, tmp_path / "out")
    same(FORMATS[name].read(tmp_path / "out"), sae)
    with pytest.raises(InputError, match="exists already"):
        FORMATS[name].write(sae, tmp_path / "out")


@pytest.mark.parametrize("of", FORMATS)
@pytest.mark.parametrize("to", FORMATS)
def test_every_format_converts_to_every_other(tmp_path: Path, of: str, to: str) -> None:
    FORMATS[of].write(random_sae(), tmp_path / "in")
    same(convert(tmp_path / "in", of, tmp_path / "out", to), FORMATS[to].read(tmp_path / "out"))


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format 'onnx' is unknown"):
        convert(tmp_path, "onnx", tmp_path / "out", "release")


def save_state(folder: Path, state: dict[str, Any], dict_class: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    torch.save({key: torch.as_tensor(value) for key, value in state.items()}, folder / "ae.pt")
    if dict_class:
        (folder / "config.json").write_text(json.dumps({"trainer": {"dict_class": dict_class, "k": 3}}))
    return folder


def linear(sae: SparseAutoencoder) -> dict[str, Any]:
    return {
        "encoder.weight": sae.encoder_weight,
        "encoder.bias": sae.encoder_bias,
        "decoder.weight": sae.decoder_weight,
    }


def test_a_gated_autoencoder_is_a_jumprelu_in_other_letters(tmp_path: Path) -> None:
    sae, rng = random_sae(), np.random.default_rng(1)
    r, gate, mag = (rng.normal(0, 0.2, 128).astype(np.float32) for _ in range(3))
    state = {
        "encoder.weight": sae.encoder_weight,
        "decoder.weight": sae.decoder_weight,
        "decoder_bias": sae.decoder_bias,
        "r_mag": r,
        "gate_bias": gate,
        "mag_bias": mag,
    }
    u = (X - sae.decoder_bias) @ sae.encoder_weight.T
    expected = (u + gate > 0) * np.maximum(np.exp(r) * u + mag, 0)
    for dict_class in ("GatedAutoEncoder", None):  # its arrays alone say what it is
        read = FORMATS["dictionary-learning"].read(save_state(tmp_path / "d", state, dict_class))
        assert np.allclose(read.encode(X).dense(128), expected, atol=2e-6)
        (tmp_path / "d" / "config.json").unlink(missing_ok=True)
    folder = tmp_path / "s"
    folder.mkdir()
    config = {"architecture": "gated", "apply_b_dec_to_input": True, "normalize_activations": "none"}
    (folder / "cfg.json").write_text(json.dumps(config))
    arrays = {
        "W_enc": np.ascontiguousarray(sae.encoder_weight.T),
        "W_dec": np.ascontiguousarray(sae.decoder_weight.T),
        "b_dec": sae.decoder_bias,
        "r_mag": r,
        "b_gate": gate,
        "b_mag": mag,
    }
    save_file(arrays, folder / "sae_weights.safetensors")
    assert np.allclose(FORMATS["saelens"].read(folder).encode(X).dense(128), expected, atol=2e-6)


def test_a_decoder_bias_that_is_not_subtracted_goes_into_the_encoder_bias(tmp_path: Path) -> None:
    sae = random_sae()
    expected = np.maximum(X @ sae.encoder_weight.T + sae.encoder_bias, 0)
    state = {**linear(sae), "decoder.bias": sae.decoder_bias}
    read = FORMATS["dictionary-learning"].read(save_state(tmp_path / "new", state, "AutoEncoderNew"))
    assert np.allclose(read.encode(X).dense(128), expected, atol=2e-6)


def test_the_threshold_of_a_topk_does_not_make_it_a_jumprelu(tmp_path: Path) -> None:
    sae = random_sae(k=3)
    state = {**linear(sae), "b_dec": sae.decoder_bias, "k": 3, "threshold": 0.2}
    for dict_class in ("AutoEncoderTopK", None):
        read = FORMATS["dictionary-learning"].read(save_state(tmp_path / "t", state, dict_class))
        same(read, sae)
        (tmp_path / "t" / "config.json").unlink(missing_ok=True)
    batch = FORMATS["dictionary-learning"].read(save_state(tmp_path / "b", state, "BatchTopKSAE"))
    same(batch, replace(sae, k=None, thresholds=np.full(128, 0.2, np.float32)))
    untrained = {**state, "threshold": -1.0}
    with pytest.raises(DamagedError, match="threshold is negative"):
        FORMATS["dictionary-learning"].read(save_state(tmp_path / "b", untrained, "BatchTopKSAE"))


def saelens_folder(path: Path, sae: SparseAutoencoder, **changes: Any) -> Path:
    FORMATS["saelens"].write(sae, path)
    config = json.loads((path / "cfg.json").read_text()) | changes
    (path / "cfg.json").write_text(json.dumps(config))
    return path


def test_activations_rescaled_by_decoder_norms_are_folded(tmp_path: Path) -> None:
    sae = random_sae(k=7)
    norm = np.random.default_rng(2).uniform(0.5, 2, 128).astype(np.float32)
    shrunk = replace(
        sae,
        encoder_weight=sae.encoder_weight / norm[:, None],
        encoder_bias=sae.encoder_bias / norm,
        decoder_weight=sae.decoder_weight * norm,
    )
    same(FORMATS["saelens"].read(saelens_folder(tmp_path / "s", shrunk, rescale_acts_by_decoder_norm=True)), sae)


@pytest.mark.parametrize(
    "change",
    [
        {"normalize_activations": "layer_norm"},
        {"reshape_activations": "hook_z"},
        {"finetuning_scaling_factor": True},
        {"architecture": "temporal"},
        {"activation_fn": "tanh-relu"},
        {"k": None},
    ],
)
def test_what_saelens_can_say_and_this_cannot_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(DamagedError, match=next(iter(change))):
        FORMATS["saelens"].read(saelens_folder(tmp_path / "s", random_sae(), **change))


@pytest.mark.parametrize(
    ("name", "file", "change", "words"),
    [
        ("sparsify", "cfg.json", {"activation": "groupmax"}, "groupmax"),
        ("sparsify", "cfg.json", {"transcode": True}, "transcoder"),
        ("sparsify", "cfg.json", {"k": "64"}, "field k"),
        ("sentence-transformers", "config.json", {"normalize": True}, "normalize"),
        ("sentence-transformers", "config.json", {"k": None}, "field k"),
        ("dictionary-learning", "config.json", {"trainer": {"dict_class": "CrossCoder"}}, "CrossCoder"),
    ],
)
def test_settings_that_do_not_convert_are_refused(
    tmp_path: Path, name: str, file: str, change: dict[str, Any], words: str
) -> None:
    FORMATS[name].write(random_sae(), tmp_path / "in")
    path = tmp_path / "in" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DamagedError, match=words):
        FORMATS[name].read(tmp_path / "in")


@pytest.mark.parametrize("name", ["saelens", "sparsify", "sentence-transformers"])
@pytest.mark.parametrize("damage", ["missing", "extra", "nan", "truncated", "config"])
def test_damaged_checkpoints_are_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    FORMATS[name].write(random_sae(), tmp_path / "in")
    files = {"saelens": "sae_weights", "sparsify": "sae", "sentence-transformers": "model"}
    path = tmp_path / "in" / f"{files[name]}.safetensors"
    arrays = load_file(path)
    first = sorted(arrays)[-1]
    if damage == "missing":
        first = next(key for key in arrays if "bias" in key or key.startswith("b_"))
        del arrays[first]
    if damage == "extra":
        arrays["W_skip"] = np.ones(3, np.float32)
    if damage == "nan":
        first = next(key for key in arrays if "bias" in key or key.startswith("b_"))
        arrays[first] = arrays[first] * np.nan
    save_file(arrays, path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:500])
    if damage == "config":
        next((tmp_path / "in").glob("*.json")).write_text("{")
    words = {"missing": f"lacks {first}", "extra": "W_skip", "nan": "NaN", "truncated": "complete", "config": "JSON"}
    with pytest.raises(DamagedError, match=words[damage]):
        FORMATS[name].read(tmp_path / "in")


def test_a_pickle_with_code_in_it_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    class Malicious:
        def __reduce__(self) -> Any:
            return (exec, ("import pathlib; pathlib.Path('ran').touch()",))

    torch.save({"encoder.weight": Malicious()}, tmp_path / "ae.pt")
    for name in ("dictionary-learning", "release"):
        with pytest.raises(DamagedError, match=r"ae\.pt"):
            FORMATS[name].read(tmp_path / "ae.pt")
    assert not (tmp_path / "ran").exists()


def test_a_tied_decoder_is_used_where_ours_does_not_lie_beside_it(tmp_path: Path) -> None:
    sae = random_sae(k=5)
    FORMATS["sentence-transformers"].write(sae, tmp_path / "m")
    same(FORMATS["sentence-transformers"].read(tmp_path / "m"), sae)
    (tmp_path / "m" / "xetrieval_decoder.safetensors").unlink()
    tied = FORMATS["sentence-transformers"].read(tmp_path / "m")
    assert np.array_equal(tied.decoder_weight, sae.encoder_weight.T)
    FORMATS["sentence-transformers"].write(random_sae(seed=9), tmp_path / "other")
    beside = (tmp_path / "other" / "xetrieval_decoder.safetensors").read_bytes()
    (tmp_path / "m" / "xetrieval_decoder.safetensors").write_bytes(beside)
    with pytest.raises(DamagedError, match="a different autoencoder"):
        FORMATS["sentence-transformers"].read(tmp_path / "m")


@pytest.mark.slow
def test_the_sparse_encoder_module_gives_the_same_codes(tmp_path: Path) -> None:
    modules = pytest.importorskip("sentence_transformers.sparse_encoder.modules", reason="encoders are not installed")
    sae = random_sae(k=9)
    FORMATS["sentence-transformers"].write(sae, tmp_path / "m")
    module = modules.SparseAutoEncoder.load(str(tmp_path / "m"))
    with torch.inference_mode():
        codes = module({"sentence_embedding": torch.from_numpy(X.astype(np.float32))})["sentence_embedding"]
    assert np.allclose(codes.numpy(), sae.encode(X.astype(np.float32)).dense(128), atol=2e-6)
    (tmp_path / "again").mkdir()
    module.save(str(tmp_path / "again"))
    read = FORMATS["sentence-transformers"].read(tmp_path / "again")
    assert np.allclose(read.encode(X).dense(128), codes.numpy(), atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 9, 10])
def test_a_trained_jumprelu_keeps_its_codes_on_the_way_through_another_library(tmp_path: Path, seed: int) -> None:
    """Its thresholds were set on these very rows: no score of them lies on a threshold to the last bit."""
    x = unit(300, 32, seed=seed)
    trained = train_sae(x, SaeConfig(variant="jumprelu", features=64, l0=4, epochs=3, batch_size=64))
    FORMATS["dictionary-learning"].write(trained, tmp_path / "there")
    back = FORMATS["dictionary-learning"].read(tmp_path / "there")
    assert [int((sae.encode(x).values > 0).sum()) for sae in (trained, back)] == [1200, 1200]
