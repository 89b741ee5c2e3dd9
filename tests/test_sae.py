"""The autoencoder in use: exact codes, in both forms, and the release's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_sae, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.sae import SparseAutoencoder, SparseCodes, read_release_sae, read_sae_folder
from xetrieval.sae.compiled_codes import compiled_codes
from xetrieval.sae.kernels import kernels_for
from xetrieval.sae.select import top_k


def test_codes_are_the_top_k_of_the_rectified_scores() -> None:
    sae, x = random_sae(k=9), unit(300, seed=1)
    scores = np.maximum((x - sae.decoder_bias) @ sae.encoder_weight.T + sae.encoder_bias, 0)
    dense = sae.encode(x).dense(sae.features)
    cut = np.sort(scores, axis=1)[:, -9][:, None]
    assert np.allclose(dense, np.where(scores >= cut, scores, 0), atol=1e-6)
    assert (sae.encode(x).values >= 0).all()


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 20),
    columns=st.integers(2, 400),
    part=st.floats(0.01, 1.0),
    levels=st.sampled_from([2, 5, 10_000_000]),
)
def test_the_k_largest_are_exact_whatever_the_shape_and_the_ties(
    seed: int, n: int, columns: int, part: float, levels: int
) -> None:
    k = max(1, int(part * columns))
    scores = np.random.default_rng(seed).integers(-levels, levels, (n, columns)).astype(np.float32)
    compiled = kernels_for("cpu").top_k(torch.from_numpy(scores), k)[0].numpy()
    for chosen in (top_k(scores, k)[0], compiled):
        assert all(len(set(row)) == k for row in chosen.tolist())
        found = np.sort(np.take_along_axis(scores, chosen, axis=1), axis=1)
        assert np.array_equal(found, np.sort(scores, axis=1)[:, columns - k :])


def test_codes_do_not_depend_on_the_tile() -> None:
    sae, x = random_sae(), unit(5000, seed=2)
    whole = sae.encode(x)
    assert np.allclose(whole.dense(128)[4999], sae.encode(x[4999:]).dense(128)[0], atol=1e-6)


def with_thresholds(sae: SparseAutoencoder, level: float = 0.2) -> SparseAutoencoder:
    theta = np.random.default_rng(4).uniform(0, level, sae.features).astype(np.float32)
    return SparseAutoencoder(sae.encoder_weight, sae.encoder_bias, sae.decoder_weight, sae.decoder_bias, None, theta)


def test_codes_above_thresholds_are_the_scores_above_them() -> None:
    sae, x = with_thresholds(random_sae()), unit(3000, seed=1)
    scores = (x - sae.decoder_bias) @ sae.encoder_weight.T + sae.encoder_bias
    codes = sae.encode(x)
    expected = np.where(scores > sae.thresholds, scores, 0)
    assert np.allclose(codes.dense(sae.features), expected, atol=1e-6)
    assert np.array_equal((codes.values > 0).sum(1), (expected > 0).sum(1))
    assert all(len(set(row)) == len(row) for row in codes.features.tolist()), "empty slots repeat no feature"
    none = replace(sae, thresholds=np.full(128, 9, np.float32)).encode(x[:3])
    assert none.features.shape == (3, 1)
    assert not none.values.any()
    assert sae.encode(x[:0]).features.shape[0] == 0


@pytest.mark.parametrize("thresholds", [False, True])
def test_compiled_codes_are_those_of_numpy(thresholds: bool) -> None:
    sae, x = random_sae(), unit(500, seed=3)
    sae = with_thresholds(sae) if thresholds else sae
    by_numpy = sae.encode(x[:50]).dense(128)
    weights = (sae.encoder_weight, sae._score_bias, sae.k, sae.thresholds)
    compiled = compiled_codes(x, *weights, "float32")
    assert np.allclose(compiled.dense(128)[:50], by_numpy, atol=1e-6)
    assert np.array_equal(compiled.dense(128)[:50] > 0, by_numpy > 0)


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_ragged_codes_keep_every_entry_and_repeat_no_feature(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.choice(12, length, replace=False).astype(np.int32) for length in lengths]
    values = [rng.uniform(0.1, 1, length).astype(np.float32) for length in lengths]
    codes = SparseCodes.of_ragged(np.array(lengths), np.concatenate(rows), np.concatenate(values))
    expected = np.zeros((len(lengths), 12), np.float32)
    for row, (ids, some) in enumerate(zip(rows, values, strict=True)):
        expected[row, ids] = some
    assert np.array_equal(codes.dense(12), expected)
    assert all(len(set(row)) == len(row) for row in codes.features.tolist())


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_half_precision_candidates_give_the_codes_of_fp32(scale: float) -> None:
    sae, x = random_sae(features=512, dimension=64, k=12), scale * unit(700, seed=5)
    exact, fast = sae.encode(x), sae.encode(x, scoring="bfloat16")
    assert np.array_equal(np.sort(exact.features, axis=1), np.sort(fast.features, axis=1))
    assert np.allclose(exact.dense(512), fast.dense(512), rtol=1e-5, atol=1e-5 * scale)


def test_a_row_that_half_precision_cannot_decide_is_scored_again() -> None:
    rng = np.random.default_rng(0)
    base = unit(1, 64)
    close = base + rng.normal(0, 1e-4, (512, 64))  # 512 directions that bfloat16 cannot tell apart
    sae = SparseAutoencoder(
        close.astype(np.float32), np.zeros(512, np.float32), close.T.astype(np.float32), np.zeros(64, np.float32), 12
    )
    x = unit(40, seed=2)
    exact, fast = sae.encode(x), sae.encode(x, scoring="bfloat16")
    assert np.allclose(np.sort(exact.values, axis=1), np.sort(fast.values, axis=1), atol=1e-6)


def test_an_autoencoder_is_saved_whole_and_read_again(tmp_path: Path) -> None:
    for place, sae in enumerate((random_sae(), with_thresholds(random_sae()))):
        sae.save(tmp_path / str(place), {"variant": "x"}, {"fvu": 0.25}, "{}\n")
        read = read_sae_folder(tmp_path / str(place))
        assert read.provenance == {"variant": "x"}
        assert read.metrics == {"fvu": 0.25}
        assert np.array_equal(read.sae.encode(unit(9)).dense(128), sae.encode(unit(9)).dense(128))
    with pytest.raises(InputError, match="exists already"):
        sae.save(tmp_path / "0")
    weights = tmp_path / "0" / "sae.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedError, match="sha256"):
        read_sae_folder(tmp_path / "0")


def test_decode_is_the_weighted_sum_of_directions_and_the_bias() -> None:
    sae, x = random_sae(), unit(20, seed=3)
    codes = sae.encode(x)
    assert np.allclose(sae.decode(codes), codes.dense(128) @ sae.decoder_weight.T + sae.decoder_bias, atol=1e-5)


def test_k_equal_to_all_features_keeps_them_all() -> None:
    sae = random_sae(features=12, k=12)
    assert sae.encode(unit(4)).features.shape == (4, 12)


def test_shapes_that_do_not_fit_are_refused() -> None:
    sae = random_sae()
    with pytest.raises(MismatchError, match="encoder_bias has shape"):
        SparseAutoencoder(sae.encoder_weight, sae.encoder_bias[:-1], sae.decoder_weight, sae.decoder_bias, 4)
    with pytest.raises(InputError, match="one of the two"):
        SparseAutoencoder(sae.encoder_weight, sae.encoder_bias, sae.decoder_weight, sae.decoder_bias, None)
    with pytest.raises(InputError, match="negative"):
        replace(with_thresholds(sae), thresholds=np.full(128, -0.1, np.float32))
    with pytest.raises(InputError, match="k = 0"):
        SparseAutoencoder(sae.encoder_weight, sae.encoder_bias, sae.decoder_weight, sae.decoder_bias, 0)


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_the_release_layout_is_read_in_every_wrapping(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    sae = random_sae(k=7)
    state = release_state(sae, prefix)
    torch.save({wrapper: state} if wrapper else state, tmp_path / "sae_model.pt")
    read = read_release_sae(tmp_path / "sae_model.pt")
    x = unit(50, seed=9)
    assert read.k == 7
    assert np.array_equal(read.encode(x).dense(128), sae.encode(x).dense(128))


def test_a_release_without_k_means_64(tmp_path: Path) -> None:
    state = release_state(random_sae(k=7), "")
    del state["k"]
    torch.save(state, tmp_path / "sae_model.pt")
    assert read_release_sae(tmp_path / "sae_model.pt").k == 64


class Malicious:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (exec, ("import pathlib; pathlib.Path('ran').touch()",))


@pytest.mark.parametrize("content", ["pickle", "truncated", "text", "other keys"])
def test_other_files_are_refused_and_run_nothing(tmp_path: Path, content: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sae_model.pt"
    torch.save(Malicious() if content == "pickle" else release_state(random_sae(), ""), path)
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    if content == "text":
        path.write_text("not a model")
    if content == "other keys":
        torch.save({"weight": torch.ones(3)}, path)
    with pytest.raises(DamagedError, match=r"sae_model\.pt"):
        read_release_sae(path)
    assert not (tmp_path / "ran").exists()


def release_state(sae: SparseAutoencoder, prefix: str) -> dict[str, torch.Tensor]:
    state = {
        "encoder.weight": torch.from_numpy(sae.encoder_weight),
        "encoder.bias": torch.from_numpy(sae.encoder_bias),
        "decoder.weight": torch.from_numpy(sae.decoder_weight),
        "b_dec": torch.from_numpy(sae.decoder_bias),
        "k": torch.tensor(sae.k),
        "threshold": torch.tensor(-1.0),
    }
    return {prefix + key: value for key, value in state.items()}
