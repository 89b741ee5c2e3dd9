"""Numbers that are too large, too small or no numbers: the right answer, or a refusal, from every door."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cases_data import refused, run
from conftest import random_explainer, random_sae, unit

from xetrieval.arrays import as_vectors, l2norm
from xetrieval.errors import DivergedError, InputError, MismatchError, TrainingWarning
from xetrieval.explain import attribute
from xetrieval.explain.breakdown import Breakdown
from xetrieval.explain.projection import FeatureSets
from xetrieval.sae.kernels import kernels_for
from xetrieval.sae.select import top_k
from xetrieval.sae.train import SaeConfig, train_sae

LENGTHS = (1e20, 1e30, 1e300, 1e-23, 1e-30, 1e-300, 3e-312)


# ---------------------------------------------------------------- lengths


@pytest.mark.parametrize("length", LENGTHS)
def test_the_length_of_a_row_never_decides_its_direction(length: float) -> None:
    x = np.random.default_rng(0).standard_normal((5, 64))
    expected = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert np.allclose(l2norm(as_vectors(x * length)), expected, atol=1e-6)
    assert np.allclose(l2norm(x * length), expected, atol=1e-9 if length > 1e-300 else 1e-3)
    one = x.copy()
    one[3] *= length  # a single row among good ones
    assert np.allclose(l2norm(as_vectors(one)), expected, atol=1e-6)


def test_float32_rows_near_its_ends_keep_their_direction_too() -> None:
    x = np.random.default_rng(0).standard_normal((5, 64)).astype(np.float32)
    for length in (1e30, 1e19, 1e-20, 1e-30):
        assert np.allclose(l2norm(x * np.float32(length)), l2norm(x), atol=1e-6), length


def test_ordinary_rows_come_out_bit_for_bit_as_before() -> None:
    x = np.random.default_rng(0).standard_normal((50, 64)).astype(np.float32)
    assert as_vectors(x) is x
    assert np.array_equal(l2norm(x), x / np.linalg.norm(x, axis=-1, keepdims=True))


def test_the_scores_of_very_long_and_very_short_vectors_are_those_of_unit_vectors() -> None:
    explainer, q, z = random_explainer(), unit(6), unit(6, seed=1)
    plain = explainer.explain_vectors(q, z)
    for length in LENGTHS:
        other = explainer.explain_vectors(q, z.astype(np.float64) * length)
        assert np.allclose(other.attribution.score, plain.attribution.score, atol=1e-5)


# ---------------------------------------------------------------- kinds of input


def test_vectors_of_every_usable_kind_are_taken() -> None:
    x = unit(4)
    kinds = {
        "list": (x.tolist(), 1e-6),
        "tuple": (tuple(map(tuple, x.tolist())), 1e-6),
        "float16": (x.astype(np.float16), 1e-3),
        "longdouble": (x.astype(np.longdouble), 1e-6),
        "big-endian": (x.astype(">f4"), 1e-6),
        "Fortran order": (np.asfortranarray(x), 1e-6),
        "int8": (np.round(x * 300).astype(np.int8), 0.02),
        "masked, nothing missing": (np.ma.array(x), 1e-6),
        "objects": (np.array([*map(list, x.tolist())], object), 1e-6),
        "tensor that needs gradients": (torch.tensor(x, requires_grad=True), 1e-6),
        "bfloat16 tensor": (torch.tensor(x).bfloat16(), 1e-2),
        "half tensor": (torch.tensor(x).half(), 1e-3),
        "list of tensors": ([torch.tensor(row, requires_grad=True) for row in x], 1e-6),
        "sparse tensor": (torch.tensor(x).to_sparse(), 1e-6),
    }
    for kind, (given, within) in kinds.items():
        assert np.allclose(l2norm(as_vectors(given)), x, atol=within), kind
    rows = np.empty(4, object)  # as a pandas column of arrays gives them
    rows[:] = list(x)
    assert np.allclose(as_vectors(rows), x)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ones((2, 4), np.uint8), "quantised"),
        (np.ones((2, 4), bool), "quantised"),
        (torch.ones((2, 4), dtype=torch.uint8), "quantised"),
        (np.array([["1", "2"]]), "text"),
        ([["1", "2"]], "text"),
        (np.array([[b"1"]]), "bytes"),
        ("abc", "text"),
        (np.ones((2, 4), complex), "complex"),
        ((row for row in np.ones((2, 4))), "objects"),
        ([[1.0, 2.0], [1.0]], "different lengths"),
        ([[1.0, None]], "objects"),
        (np.ma.array(np.ones((2, 4)), mask=[[0, 0, 0, 1], [0, 0, 0, 0]]), "masked"),
        (None, "objects"),
        (np.array([[1.0, np.nan]]), "row 0"),
        (np.array([[1.0, 1.0], [1.0, -np.inf]]), "row 1"),
        (np.array([[1.0, 1.0], [0.0, 0.0]]), "row 1"),
        (np.ones((2, 3, 4)), "shape"),
        (np.float32(3), "shape"),
    ],
)
def test_what_is_no_matrix_of_vectors_is_refused_in_words(given: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_vectors(given)


# ---------------------------------------------------------------- NaN


def test_the_sum_check_fails_on_nan() -> None:
    sae = random_sae()
    sets = FeatureSets.of([np.array([0, 1], np.int32)])
    bad = unit(1)
    bad[0, 0] = np.nan
    for q, z in ((unit(1), bad), (bad, unit(1))):
        with pytest.raises(MismatchError, match="nan"):
            attribute(q, z, sae.directions, sae.decoder_bias, sets)
    with pytest.raises(MismatchError, match="nan"):
        Breakdown(score=float("nan"), mode="test", parts=())


def test_codes_of_nan_and_infinity_are_refused() -> None:
    sae, x = random_sae(), unit(3)
    for bad in (np.nan, np.inf, -np.inf):
        x[1, 5] = bad
        with pytest.raises(InputError, match="row 1"):
            sae.encode(x)


def test_numpys_top_k_refuses_rows_of_nan() -> None:
    scores = np.random.default_rng(0).standard_normal((3, 200)).astype(np.float32)
    scores[2] = np.nan
    with pytest.raises(InputError, match="row 2"):
        top_k(scores, 4)


@pytest.mark.parametrize("features", [5, 16, 33, 841])
def test_the_compiled_top_k_stays_inside_its_buffers(features: int) -> None:
    kernels, rng = kernels_for("cpu"), np.random.default_rng(features)
    for k in (1, 2, 5):
        for kind in range(5):
            scores = rng.standard_normal((40, features)).astype(np.float32)
            if kind == 0:
                scores[rng.random(scores.shape) < 0.3] = np.nan
            elif kind == 1:
                scores[rng.random(40) < 0.5] = np.nan
            elif kind == 2:
                scores[:, rng.random(features) < 0.5] = np.inf
            elif kind == 3:
                scores[rng.random(scores.shape) < 0.9] = -np.inf
            else:
                scores[:] = rng.choice([np.nan, np.inf, -np.inf, 0, 1], scores.shape)
            ids, values = (tensor.numpy() for tensor in kernels.top_k(torch.from_numpy(scores), k))
            assert ids.min() >= 0
            assert ids.max() < features
            assert all(len(set(row)) == k for row in ids.tolist())
            assert np.array_equal(np.take_along_axis(scores, ids.astype(int), 1), values, equal_nan=True)
            if not np.isnan(scores).any():
                assert np.array_equal(np.sort(values, 1), np.sort(scores, 1)[:, features - k :])


# ---------------------------------------------------------------- training


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        *(("learning_rate", x) for x in (-1.0, 0.0, float("nan"), float("inf"))),
        *(("penalty", x) for x in (-1.0, float("nan"), float("inf"))),
        *(("resample_every", x) for x in (-1.0, 0.0, float("nan"), 2.0)),
        *(("seed", x) for x in (-1, 2**64, 1.5)),
        *(("device", x) for x in ("x", "", "cuda:x", "cpu:0 ")),
        *(("features", x) for x in (0, -5, 99_999_999_999, 2.5)),
        *(("l0", x) for x in (0, -1, float("nan"), float("inf"))),
        *(("warmup", x) for x in (-1.0, float("nan"))),
        ("decay", 2.0),
        ("bandwidth", 0.0),
        ("aux_alpha", float("nan")),
        ("dead_after", float("nan")),
        ("anneal", (0.9, 0.1)),
        ("epochs", 0),
        ("batch_size", -1),
        ("early_stop", 0),
        ("held_out", float("nan")),
    ],
)
def test_a_training_setting_out_of_range_is_refused_up_front(field: str, bad: object) -> None:
    settings = {"features": 16, "l0": 2, "held_out": 0.1, field: bad}
    with pytest.raises(InputError):
        SaeConfig(**settings)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "v.npy"
    np.save(path, unit(6, 384))
    return path


@pytest.mark.parametrize(
    "option",
    [
        "--learning-rate -1",
        "--learning-rate nan",
        "--learning-rate 1e999",
        "--learning-rate 0",
        "--penalty -1",
        "--penalty nan",
        "--resample-every nan",
        "--resample-every -1",
        "--resample-every 0",
        "--seed -1",
        "--device x",
        "--device cuda:99",
    ],
)
def test_the_command_line_refuses_it_and_leaves_nothing(option: str, vectors: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused(run("sae", "train", vectors, "--output", out, "-F", 16, "--l0", 2, *option.split()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate", ["1e30", "1e5"])
def test_a_diverging_training_stops_in_words_and_leaves_nothing(rate: str, vectors: Path, tmp_path: Path) -> None:
    for _ in range(3):
        done = run("sae", "train", vectors, "--output", tmp_path / "out", "-F", 16, "--l0", 2, "--learning-rate", rate)
        refused(done, "diverged", "learning rate")
        assert list(tmp_path.iterdir()) == []


def test_a_diverging_training_takes_its_checkpoint_along(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="diverged at step"):
        train_sae(unit(6, 384), SaeConfig(16, 2, learning_rate=1e30), checkpoint=tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_a_result_worse_than_the_mean_is_said() -> None:
    x = np.random.default_rng(0).standard_normal((600, 64)).astype(np.float32)
    with pytest.warns(TrainingWarning, match="worse than their mean"):
        train_sae(x, SaeConfig(16, 2, variant="gated", learning_rate=1.0, batch_size=100))
