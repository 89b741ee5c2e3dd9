"""The autoencoder: exact codes, exact gradients, exact resumption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_sae, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.sae import SparseAutoencoder, read_release_sae
from xetrieval.sae.select import top_k
from xetrieval.sae.train import SaeConfig, _State, train_sae


def planted(n: int = 3000, dimension: int = 32, parts: int = 40, seed: int = 0) -> np.ndarray:
    """Unit vectors that are sums of three out of `parts` directions."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((parts, dimension))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = np.stack([rng.uniform(0.5, 1.5, 3) @ directions[rng.choice(parts, 3, replace=False)] for _ in range(n)])
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_codes_are_the_top_k_of_the_rectified_scores() -> None:
    sae, x = random_sae(k=9), unit(300, seed=1)
    scores = np.maximum((x - sae.decoder_bias) @ sae.encoder_weight.T + sae.encoder_bias, 0)
    dense = sae.encode(x).dense(sae.features)
    cut = np.sort(scores, axis=1)[:, -9][:, None]
    assert np.allclose(dense, np.where(scores >= cut, scores, 0), atol=1e-6)
    assert (sae.encode(x).values >= 0).all()


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
    chosen = top_k(scores, k)
    assert all(len(set(row)) == k for row in chosen.tolist())
    found = np.sort(np.take_along_axis(scores, chosen, axis=1), axis=1)
    assert np.array_equal(found, np.sort(scores, axis=1)[:, columns - k :])


def test_codes_do_not_depend_on_the_tile() -> None:
    sae, x = random_sae(), unit(5000, seed=2)
    whole = sae.encode(x)
    assert np.allclose(whole.dense(128)[4999], sae.encode(x[4999:]).dense(128)[0], atol=1e-6)


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
    with pytest.raises(InputError, match="k = 0"):
        SparseAutoencoder(sae.encoder_weight, sae.encoder_bias, sae.decoder_weight, sae.decoder_bias, 0)


def test_the_sparse_step_has_the_gradients_of_the_dense_form() -> None:
    x = torch.from_numpy(planted(256))
    state = _State(torch, x.numpy(), np.arange(256), SaeConfig(features=96, k=5))
    We, be, Wd, bd = (p.clone().requires_grad_() for p in state.parameters)
    scores = (x - bd) @ We.T + be
    top, place = scores.topk(5)
    code = torch.zeros_like(scores).scatter(1, place, torch.relu(top))
    ((x - code @ Wd - bd) ** 2).sum(1).mean().backward()
    on_sphere = Wd.grad - (Wd.grad * Wd.data).sum(1, keepdim=True) * Wd.data
    expected = [We.grad, be.grad, on_sphere, bd.grad]
    norm = max(1.0, float(sum((g**2).sum() for g in expected)) ** 0.5)
    state.optimiser.step = lambda: None
    state.step(x, 1.0, dead_after=10**9)
    for parameter, gradient in zip(state.parameters, expected, strict=True):
        assert torch.allclose(parameter.grad * norm, gradient, atol=1e-5 * float(gradient.abs().max()))


def test_silent_features_are_taught_by_what_is_left() -> None:
    x = torch.from_numpy(planted(256))
    state = _State(torch, x.numpy(), np.arange(256), SaeConfig(features=64, k=4))
    state.We[:8] *= 0.05  # too weak to be among the top k
    state.silent[:8] = 100
    before = state.Wd[:8].clone()
    state.step(x, 1.0, dead_after=50)
    assert not torch.allclose(state.Wd[:8], before)


def test_training_finds_planted_directions_and_few_die() -> None:
    x = planted(4000)
    sae = train_sae(x, SaeConfig(features=64, k=3, inference_k=3, epochs=30, batch_size=128, learning_rate=3e-3))
    assert sae.k == 3
    codes = sae.encode(x)
    fvu = ((x - sae.decode(codes)) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    assert fvu < 0.15
    assert np.allclose(np.linalg.norm(sae.decoder_weight, axis=0), 1, atol=1e-4)


def test_same_seed_same_weights_and_another_seed_others() -> None:
    x, config = planted(500), SaeConfig(features=48, k=3, epochs=2, batch_size=64)
    first, second = train_sae(x, config), train_sae(x, config)
    other = train_sae(x, SaeConfig(features=48, k=3, epochs=2, batch_size=64, seed=1))
    assert np.array_equal(first.encoder_weight, second.encoder_weight)
    assert not np.array_equal(first.encoder_weight, other.encoder_weight)


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    x, config, checkpoint = (
        planted(500),
        SaeConfig(features=48, k=3, epochs=4, batch_size=64),
        tmp_path / "state",
    )

    class Killed(BaseException):
        pass

    def kill(progress) -> None:  # type: ignore[no-untyped-def]
        if progress.step == 20:
            raise Killed

    with pytest.raises(Killed):
        train_sae(x, config, kill, checkpoint=checkpoint)
    steps: list[int] = []
    resumed = train_sae(x, config, lambda p: steps.append(p.step), checkpoint=checkpoint)
    assert steps[0] > 1, "it went on from the last whole epoch"
    assert np.array_equal(resumed.encoder_weight, train_sae(x, config).encoder_weight)


@pytest.mark.parametrize(
    ("rows", "words"), [(unit(1), "1 rows are too few"), (np.ones((9, 4), np.float32), "all rows are equal")]
)
def test_rows_that_cannot_be_trained_on_are_refused(rows: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        train_sae(rows, SaeConfig(features=8, k=2, epochs=1))


def test_more_features_may_be_kept_in_use_than_in_training() -> None:
    assert SaeConfig(features=100, k=16).used_k == 24
    assert SaeConfig(features=20, k=16).used_k == 20
    assert SaeConfig(features=100, k=16, inference_k=16).used_k == 16
    x, config = planted(300), SaeConfig(features=48, k=4, epochs=1)
    assert train_sae(x, config).k == 6
    assert np.array_equal(
        train_sae(x, config).decoder_weight,
        train_sae(x, SaeConfig(features=48, k=4, inference_k=9, epochs=1)).decoder_weight,
    )


def test_k_above_the_number_of_features_is_refused() -> None:
    with pytest.raises(InputError, match="inference k = 9"):
        SaeConfig(features=8, k=4, inference_k=9)
    with pytest.raises(InputError, match="k = 9"):
        SaeConfig(features=8, k=9)


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
