"""Training: what it finds, that it can be repeated, interrupted, driven to a sparsity, and what it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import unit
from sae_data import planted

from xetrieval.configs.variants import VARIANTS, variant
from xetrieval.errors import DamagedError, DivergedError, InputError
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.measure import reconstruction
from xetrieval.sae.train import SaeConfig, Stack, train_many, train_sae
from xetrieval.sae.train.finish import finish
from xetrieval.sae.train.rows import batches, check_rows, window_rows
from xetrieval.sae.train.scaling import geometric_median, scaling_of
from xetrieval.sae.train.trainer import Trainer

QUICK = SaeConfig(features=48, l0=3, epochs=2, batch_size=64)


@pytest.mark.slow
def test_training_finds_planted_directions_and_few_die() -> None:
    x = planted(4000)
    sae = train_sae(x, SaeConfig(features=64, l0=3, epochs=30, batch_size=128, learning_rate=3e-3))
    assert sae.k == 3
    assert reconstruction(sae, planted(1000, seed=1)).fvu < 0.15
    assert np.allclose(np.linalg.norm(sae.decoder_weight, axis=0), 1, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("centre", ["none", "mean", "whiten"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_reaches_the_sparsity_asked_for_on_rows_it_never_saw(name: str, centre: str) -> None:
    config = SaeConfig(features=96, l0=6, variant=name, epochs=10, batch_size=128, learning_rate=2e-3, centre=centre)
    sae = train_sae(planted(6000), config)
    found = reconstruction(sae, planted(2000, seed=1))
    assert found.l0 == pytest.approx(6, rel=0.05)
    assert found.fvu < (0.45 if name == "jumprelu" else 0.3)


@pytest.mark.slow
def test_a_fixed_coefficient_stays_and_a_larger_one_gives_a_sparser_code() -> None:
    config = SaeConfig(features=96, l0=6, variant="relu", epochs=4, batch_size=128, learning_rate=2e-3)
    seen: list[float] = []
    loose = train_sae(planted(4000), replace(config, penalty=0.01), lambda p: seen.append(p.penalty))
    tight = train_sae(planted(4000), replace(config, penalty=0.3))
    assert set(seen) == {0.01}
    x = planted(500, seed=1)
    assert reconstruction(tight, x).l0 < 0.7 * reconstruction(loose, x).l0


def test_same_seed_same_weights_and_another_seed_others() -> None:
    x = planted(500)
    first, second = train_sae(x, QUICK), train_sae(x, QUICK)
    other = train_sae(x, replace(QUICK, seed=1))
    assert np.array_equal(first.encoder_weight, second.encoder_weight)
    assert not np.array_equal(first.encoder_weight, other.encoder_weight)


def test_autoencoders_trained_in_one_pass_are_those_trained_alone() -> None:
    x = planted(500)
    configs = [QUICK, replace(QUICK, variant="gated", l0=4), replace(QUICK, features=64)]
    together = train_many(x, configs)
    for config, trained in zip(configs, together, strict=True):
        alone = train_sae(x, config)
        assert np.array_equal(trained.sae.encoder_weight, alone.encoder_weight)
        assert np.array_equal(trained.sae.decoder_bias, alone.decoder_bias)
    with pytest.raises(InputError, match="must have the same epochs"):
        train_many(x, [QUICK, replace(QUICK, epochs=3)])


class Killed(BaseException):
    pass


@pytest.mark.parametrize("name", VARIANTS)
def test_an_interrupted_training_ends_with_the_same_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xetrieval.sae.train.loop.SAVE_EVERY", 0.0)
    monkeypatch.setattr("xetrieval.sae.train.loop.SAVE_FACTOR", 0.0)
    x, state = planted(500), tmp_path / "state"
    config = replace(QUICK, variant=name, resample_every=0.2, dead_after=2, held_out=0.1)

    def kill(progress) -> None:  # type: ignore[no-untyped-def]
        if progress.step == 11:
            raise Killed

    with pytest.raises(Killed):
        train_sae(x, config, kill, checkpoint=state)
    steps: list[int] = []
    resumed = train_sae(x, config, lambda p: steps.append(p.step), checkpoint=state)
    assert steps[0] == 11, "it went on where it had been saved"
    whole = train_sae(x, config)
    for part in ("encoder_weight", "encoder_bias", "decoder_weight", "decoder_bias"):
        assert np.array_equal(getattr(resumed, part), getattr(whole, part)), part
    with pytest.raises(DamagedError, match="a different training"):
        train_sae(planted(400), config, checkpoint=state)


@pytest.mark.slow
def test_killed_at_any_moment_it_resumes_to_the_same_weights(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", planted(3000))
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "import xetrieval.sae.train.loop as loop\n"
        "loop.SAVE_EVERY = loop.SAVE_FACTOR = 0.0\n"
        "from xetrieval.sae import write_sae\n"
        "from xetrieval.sae.train import SaeConfig, train_sae\n"
        "config = SaeConfig(features=64, l0=4, variant='jumprelu', epochs=12, batch_size=64)\n"
        "write_sae(train_sae(np.load('x.npy', mmap_mode='r'), config, checkpoint=Path('state')), Path('out'))\n"
    )
    command, kills = [sys.executable, "-c", script], 0
    for _ in range(4):
        running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not (tmp_path / "state").exists() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.4 + 0.31 * kills)
        if running.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
            kills += 1
        running.wait()
    assert kills, "at least one run was killed in the middle"
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    interrupted = (tmp_path / "out").read_bytes()
    (tmp_path / "state").unlink()
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    assert (tmp_path / "out").read_bytes() == interrupted


@pytest.mark.slow
def test_vectors_larger_than_the_memory_it_may_use_are_streamed(tmp_path: Path) -> None:
    rows, width = 400_000, 128
    big = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(rows, width))
    for start in range(0, rows, 50_000):
        big[start : start + 50_000] = unit(50_000, width, seed=start)
    big.flush()
    script = (
        "import resource, numpy as np, torch, numba\n"
        "torch.set_num_threads(1)\n"
        "from xetrieval.sae.train import SaeConfig, train_sae\n"
        "config = SaeConfig(features=256, l0=8, epochs=1, batch_size=2048)\n"
        "x = np.load('x.npy', mmap_mode='r')\n"
        "train_sae(x[:4096], config)  # compile first\n"
        "used = int(open('/proc/self/status').read().split('VmData:')[1].split()[0]) * 1024\n"
        "room = 150 << 20\n"
        "assert x.nbytes > room\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (used + room, used + room))\n"
        "try:\n    np.ones(x.shape, np.float32)\n    raise SystemExit('the limit does not bind')\n"
        "except MemoryError:\n    pass\n"
        "train_sae(x, config)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env={**os.environ, "NUMBA_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_window_of_blocks_covers_every_row_once_and_repeats_for_a_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xetrieval.sae.train.rows.WINDOW_BYTES", 4 * 65_536)
    n = 2 * window_rows(1) + 777
    stack, rows = Stack([np.arange(n, dtype=np.float32)[:, None]]), np.arange(n)
    seen = np.concatenate([b[:, 0] for b in batches(stack, rows, 1000, 3, 0, 0)])
    assert np.array_equal(np.sort(seen), np.arange(n))
    again = np.concatenate([b[:, 0] for b in batches(stack, rows, 1000, 3, 0, 70)])
    assert np.array_equal(again, seen[70_000:])
    next_epoch = next(batches(stack, rows, 1000, 3, 1, 0))
    assert not np.array_equal(seen[:1000], next_epoch[:, 0])
    assert np.abs(np.diff(seen[:1000])).mean() > 1000, "neighbours are far apart"


def test_several_matrices_are_read_as_one() -> None:
    parts = [unit(5, seed=0), unit(7, seed=1).astype(np.float16), unit(2, seed=2)]
    stack, whole = Stack(parts), np.concatenate(parts).astype(np.float32)
    rows = np.array([13, 0, 6, 6, 11, 4, 5])
    assert np.array_equal(stack.take(rows), whole[rows])
    with pytest.raises(InputError, match="dimension is 3, matrix 0 has 64"):
        Stack([parts[0], np.ones((2, 3))])


def test_resampling_changes_weights_and_forgets_their_momentum() -> None:
    x = torch.from_numpy(planted(256))
    for name in ("topk", "relu", "jumprelu", "gated"):
        trainer = Trainer(SaeConfig(features=64, l0=4, variant=name, resample_every=0.1, dead_after=1), x.numpy(), 100)
        trainer.w["We"][:8] = 0.0
        trainer.w["be"][:8] = -9.0  # silent for good
        for _ in range(9):
            trainer.step(x)
        before = {key: value.clone() for key, value in trainer.w.items()}
        trainer.step(x)  # the tenth step resamples
        assert trainer.resampled == 8, name
        for key in ("We", "Wd"):
            assert ((trainer.w[key][:8] - before[key][:8]).norm(dim=1) > 0.05).all(), (name, key)
        moment = trainer.optimiser.state[trainer.w["We"]]["exp_avg"]
        assert not moment[:8].any()
        assert moment[8:].any()
        fired = torch.zeros(64)
        for _ in range(3):
            trainer.step(x)
        fired = trainer.silence.steps[:8] < 3
        assert fired.any(), f"{name}: newcomers fire"


def test_the_silence_rule_counts_steps() -> None:
    x = torch.from_numpy(planted(256))
    trainer = Trainer(SaeConfig(features=64, l0=4, dead_after=3), x.numpy(), 1000)
    trainer.w["We"][:5] = 0.0
    dead = [trainer.step(x).dead for _ in range(5)]
    assert dead[2] == 0
    assert dead[4] >= 4
    assert SaeConfig(dead_after=0.02).dead_steps(1000) == 20
    assert SaeConfig(dead_after=7).dead_steps(1000) == 7


def test_silent_features_are_taught_by_what_is_left() -> None:
    x = torch.from_numpy(planted(256))
    trainer = Trainer(SaeConfig(features=64, l0=4, dead_after=50), x.numpy(), 1000)
    trainer.w["We"][:8] *= 0.05  # too weak to be among the top k
    trainer.silence.steps[:8] = 100
    before = trainer.w["Wd"][:8].clone()
    trainer.step(x)
    assert not torch.allclose(trainer.w["Wd"][:8], before)


@pytest.mark.parametrize("centre", ["none", "mean", "whiten"])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_space_of_training_is_folded_into_the_weights(name: str, centre: str) -> None:
    x = 5 + 3 * planted(400) * np.linspace(0.5, 2, 32, dtype=np.float32)
    scaling = scaling_of(x, centre)
    inside = scaling.apply(x)
    if centre != "none":
        assert np.allclose(inside.mean(0), 0, atol=1e-4)
    assert (inside**2).sum(1).mean() == pytest.approx(1, rel=1e-3)
    penalty = None if variant(name).penalty == "none" else 0.01
    config = SaeConfig(features=48, l0=4, variant=name, penalty=penalty, centre=centre)
    trainer = Trainer(config, inside, 50)
    for _ in range(10):
        trainer.step(torch.from_numpy(inside))
    sae = finish(config, trainer.weights(), scaling, inside)
    if name in ("batchtopk", "matryoshka"):  # in training a count over the batch, in use a threshold
        assert reconstruction(sae, x).l0 == pytest.approx(4, rel=0.02)
        return
    centred = torch.from_numpy(inside) - trainer.w["bd"]
    pattern, entries = trainer._entries(centred)
    f = trainer.architecture.activate(trainer.w, entries)
    dense = torch.zeros(400, 48).index_put((torch.repeat_interleave(pattern.starts.diff()), entries.columns.long()), f)
    back = (dense @ trainer.w["Wd"] + trainer.w["bd"]).numpy().astype(np.float64)
    outside = back / scaling.forth if scaling.forth.ndim == 0 else back @ scaling.back
    assert np.allclose(sae.decode(sae.encode(x)), outside + scaling.mean, atol=2e-3)
    assert np.array_equal(sae.encode(x).dense(48) > 0, dense.numpy() > 0)


def test_whitening_makes_every_direction_equally_wide() -> None:
    x = planted(2000) * np.linspace(0.5, 2, 32, dtype=np.float32)
    spread = np.linalg.eigvalsh(np.cov(scaling_of(x, "whiten").apply(x), rowvar=False))
    assert spread.max() / spread.min() < 1.01


def test_the_geometric_median_is_not_moved_by_a_far_point() -> None:
    x = unit(200)
    far = np.concatenate([x, np.full((5, 64), 1000, np.float32)])
    assert np.linalg.norm(geometric_median(far) - geometric_median(x)) < 0.2
    assert np.linalg.norm(far.mean(0) - x.mean(0)) > 50


@pytest.mark.slow
def test_training_stops_when_held_out_rows_gain_nothing_and_keeps_the_best() -> None:
    x = np.concatenate([planted(600)] * 2)
    config = SaeConfig(features=64, l0=3, epochs=400, batch_size=256, learning_rate=5e-3, held_out=0.2, early_stop=2)
    stopped = train_many(x, [config])[0]
    assert stopped.steps < 400 * 4
    assert stopped.held_out_fvu is not None
    with pytest.raises(InputError, match="held_out"):
        SaeConfig(early_stop=2)


@pytest.mark.parametrize(
    ("rows", "words"), [(unit(1), "1 rows are too few"), (np.ones((9, 4), np.float32), "all rows are equal")]
)
def test_rows_that_cannot_be_trained_on_are_refused(rows: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        train_sae(rows, SaeConfig(features=8, l0=2, epochs=1))


def test_zero_and_broken_rows_are_counted_refused_or_dropped() -> None:
    x = planted(300).copy()
    x[7], x[9, 3], x[11, 0] = 0, np.nan, np.inf
    with pytest.raises(InputError, match="2 rows with NaN or infinite numbers and 1 zero rows, the first is row 7"):
        train_sae(x, QUICK)
    kept = check_rows(Stack([x]), np.arange(300), "drop")
    assert (len(kept.rows), kept.zero, kept.not_finite) == (297, 1, 2)
    clean = train_sae(np.delete(x, [7, 9, 11], axis=0), QUICK)
    assert isinstance(clean, SparseAutoencoder)
    dropped = train_sae(x, QUICK, bad_rows="drop")
    assert np.isfinite(dropped.encoder_weight).all()
    x[:] = 0
    with pytest.raises(InputError, match="0 rows are too few"):
        train_sae(x, QUICK, bad_rows="drop")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": 8, "l0": 9}, "l0 = 9 is not between"),
        ({"features": 8, "l0": 4, "inference_k": 9}, "inference k = 9"),
        ({"l0": 2.5}, "whole number"),
        ({"variant": "topp"}, "variant 'topp' is unknown"),
        ({"centre": "median"}, "centre 'median'"),
        ({"epochs": 0}, "at least 1"),
        ({"scoring": "int8"}, "scoring 'int8'"),
        ({"variant": "matryoshka", "nested": (0.5, 0.25, 1.0)}, "nested"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(QUICK, **change)  # type: ignore[arg-type]


def test_fewer_features_than_dimensions_and_than_rows_can_be_had() -> None:
    sae = train_sae(planted(300), replace(QUICK, features=8, l0=2))
    assert sae.encoder_weight.shape == (8, 32)
    many = train_sae(planted(20), replace(QUICK, features=64, epochs=1))
    assert np.isfinite(many.encoder_weight).all()


def test_more_features_may_be_kept_in_use_than_in_training() -> None:
    x = planted(300)
    wide = train_sae(x, replace(QUICK, inference_k=6))
    assert wide.k == 6
    assert np.array_equal(wide.decoder_weight, train_sae(x, QUICK).decoder_weight)


def test_half_precision_scores_train_the_same_weights() -> None:
    x = planted(500)
    exact, fast = train_sae(x, QUICK), train_sae(x, replace(QUICK, scoring="bfloat16"))
    assert np.allclose(exact.decoder_weight, fast.decoder_weight, atol=1e-3)


@pytest.mark.parametrize(("variant", "rate"), [("topk", 1e26), ("topk", 1e35), ("gated", 1e8), ("gated", 1e32)])
def test_weights_too_large_to_compute_with_are_a_training_that_diverged(variant: str, rate: float) -> None:
    config = SaeConfig(features=32, l0=4, variant=variant, learning_rate=rate, epochs=1)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        train_sae(unit(64, 16), config)


@pytest.mark.parametrize(
    ("factor", "kind"), [(1e200, "f8"), (1e-200, "f8"), (1e25, "f4"), (1e-30, "f4"), (1e-40, "f4")]
)
def test_vectors_may_have_any_length(factor: float, kind: str) -> None:
    vectors = (planted(256).astype(np.float64) * factor).astype(kind)
    trained = train_sae(Stack([vectors]), SaeConfig(features=32, l0=4, epochs=1))
    assert np.isfinite(trained.decoder_weight).all()
