"""xetrieval sae: as a person types it."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import random_sae, unit
from sae_data import planted
from safetensors.numpy import save_file
from test_cli import refused, run
from typer.main import get_command

from xetrieval.cli.app import app
from xetrieval.configs.variants import VARIANTS
from xetrieval.explain import load
from xetrieval.files.folders import claim
from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.formats import FORMATS

pytestmark = pytest.mark.slow


DEFAULTS = {"--features": 48, "--l0": 4, "--epochs": 2, "--batch-size": 64}
SMALL = tuple(part for pair in DEFAULTS.items() for part in pair)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    np.save(tmp_path / "v.npy", planted(600))
    return tmp_path / "v.npy"


@pytest.mark.parametrize("variant", VARIANTS)
def test_train_makes_a_folder_that_evaluate_and_info_read(tmp_path: Path, vectors: Path, variant: str) -> None:
    done = run("sae", "train", vectors, "--variant", variant, *SMALL, "--output", tmp_path / "s")
    assert done.returncode == 0, done.stderr
    assert "48 features" in done.stderr
    log = [json.loads(line) for line in (tmp_path / "s" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == list(range(1, 21))
    assert {"loss", "fvu", "l0", "dead", "rows_per_second", "penalty"} <= set(log[0])
    assert not (tmp_path / "s.work").exists()
    found = json.loads(run("sae", "evaluate", tmp_path / "s", "--vectors", vectors, "--format", "json").stdout)
    assert set(found) == {"rows", "fvu", "mse", "cosine", "l0", "dead", "dense", "duplicates"}
    x, sae = planted(600), SparseAutoencoder.load(tmp_path / "s")
    error = ((x - sae.decode(sae.encode(x))) ** 2).sum(1)
    assert found["mse"] == pytest.approx(float(error.mean()), rel=1e-4)
    assert found["fvu"] == pytest.approx(float(error.sum() / ((x - x.mean(0)) ** 2).sum()), rel=1e-4)
    assert found["l0"] == pytest.approx(4, rel=0.05)
    info = json.loads(run("sae", "info", tmp_path / "s", "--format", "json").stdout)
    assert info["provenance"]["config"]["variant"] == variant
    assert "48" in run("sae", "info", tmp_path / "s").stdout
    assert "fvu" in run("sae", "evaluate", tmp_path / "s", "--vectors", vectors).stdout


def test_the_three_kinds_of_vector_files_train_the_same(tmp_path: Path, vectors: Path) -> None:
    x = np.load(vectors)
    save_file({"vectors": x, "other": x[:, :3].copy()}, tmp_path / "v.safetensors")
    arrow = pytest.importorskip("pyarrow", reason='pip install "xetrieval[data]"')
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"vector": list(x)}), tmp_path / "v.parquet")
    weights = []
    for name in ("v.npy", "v.safetensors", "v.parquet"):
        assert run("sae", "train", tmp_path / name, *SMALL, "--output", tmp_path / f"o-{name}").returncode == 0
        weights.append(SparseAutoencoder.load(tmp_path / f"o-{name}").encoder_weight)
    assert np.array_equal(weights[0], weights[1])
    assert np.array_equal(weights[0], weights[2])


def test_curves_are_drawn(tmp_path: Path, vectors: Path) -> None:
    pytest.importorskip("matplotlib", reason='pip install "xetrieval[plot]"')
    run("sae", "train", vectors, *SMALL, "--output", tmp_path / "s", "--plot", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_trains_every_cell_and_writes_one_table(tmp_path: Path, vectors: Path) -> None:
    np.save(tmp_path / "r.npy", planted(1200, seed=3))
    np.save(tmp_path / "judge.npy", planted(600)[:, ::-1])
    call = (
        "sae", "sweep", vectors, "--views", tmp_path / "r.npy", "--variants", "topk,relu", "--l0", "3,5",
        "--features", "40,48", "--epochs", 4, "--batch-size", 64, "--output", tmp_path / "w",
        "--intruder-vectors", vectors, tmp_path / "judge.npy", "--format", "json",
    )  # fmt: skip
    done = run(*call)
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    assert records == json.loads((tmp_path / "w" / "sweep.json").read_text())
    assert [(r["features"], r["variant"], r["target_l0"]) for r in records] == [
        (f, v, k) for f in (40, 48) for v in ("topk", "relu") for k in (3, 5)
    ]
    for record in records:
        for kind in ("original", "reasoned"):
            assert record[kind]["l0"] == pytest.approx(record["target_l0"], rel=0.3), "a dozen rows are held out"
            assert 0 < record[kind]["fvu"] < 0.7
        assert record["intruder"]["accuracy"] > 0.3, "the planted parts are easily told apart"
        assert 0 <= record["dead"] <= 1
    sae = SparseAutoencoder.load(tmp_path / "w" / "relu-48-5")
    assert sae.features == 48
    assert "relu" in run(*call[:-2]).stdout, "run again: nothing is trained anew, the table is shown"


def test_evaluate_ranks_by_reconstructed_vectors(tmp_path: Path, shared_data: Path) -> None:
    random_sae(features=256, dimension=64, k=200).save(tmp_path / "s")
    call = ("sae", "evaluate", tmp_path / "s", "--data", shared_data / "english-dup", "--encoder", "hashing:64")
    found = json.loads(run(*call, "--format", "json").stdout)
    assert set(found) == {"benchmarks", "ndcg10", "ndcg10_reconstructed"}
    assert 0 < found["ndcg10_reconstructed"] < found["ndcg10"] < 1
    assert "NDCG@10" in run(*call).stdout


def test_an_explainer_travels_with_its_labels(tmp_path: Path) -> None:
    done = run("sae", "convert", "--from", "explainer", "--to", "sentence-transformers", "minilm", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    shipped = load("minilm")
    x = unit(50, 384)
    read = FORMATS["sentence-transformers"].read(tmp_path / "m")
    assert np.array_equal(read.encode(x).dense(1024), shipped.sae.encode(x).dense(1024))
    labels = [json.loads(line) for line in (tmp_path / "m" / "xetrieval_features.jsonl").read_text().splitlines()]
    assert [label["label"] for label in labels] == [feature.label for feature in shipped.features]


def test_convert_and_refuse_what_would_be_lost(tmp_path: Path, vectors: Path) -> None:
    run("sae", "train", vectors, "--variant", "jumprelu", *SMALL, "--output", tmp_path / "s")
    done = run("sae", "convert", "--from", "xetrieval", "--to", "saelens", tmp_path / "s", tmp_path / "lens")
    assert done.returncode == 0, done.stderr
    x = planted(50, seed=8)
    one, other = SparseAutoencoder.load(tmp_path / "s"), FORMATS["saelens"].read(tmp_path / "lens")
    assert np.allclose(one.encode(x).dense(48), other.encode(x).dense(48), atol=1e-6)
    refused(
        run("sae", "convert", "--from", "xetrieval", "--to", "sparsify", tmp_path / "s", tmp_path / "no"),
        "fixed thresholds",
    )
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--l0", 99), "l0 = 99 is not between 1 and features = 48"),
        (("--variant", "sparse"), "variant 'sparse' is unknown; choose one of relu"),
        (("--centre", "median"), "centre 'median' is unknown"),
        (("--early-stop", 3), "held_out"),
        (("--epochs", 0), "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(
    tmp_path: Path, vectors: Path, arguments: tuple[object, ...], words: str
) -> None:
    name, value = arguments
    small = (part for pair in {**DEFAULTS, name: value}.items() for part in pair)
    refused(run("sae", "train", vectors, *small, "--output", tmp_path / "s"), words)
    assert not (tmp_path / "s").exists()


def test_vectors_that_cannot_be_used_are_one_line(tmp_path: Path, vectors: Path) -> None:
    call = ("sae", "train", *SMALL, "--output", tmp_path / "s")
    np.save(tmp_path / "one.npy", unit(1))
    refused(run(*call, tmp_path / "one.npy"), "1 rows are too few")
    np.save(tmp_path / "equal.npy", np.ones((300, 8), np.float32))
    refused(run(*call, tmp_path / "equal.npy"), "all rows are equal")
    bad = planted(600).copy()
    bad[3] = np.nan
    bad[5] = 0
    np.save(tmp_path / "bad.npy", bad)
    refused(run(*call, tmp_path / "bad.npy"), "1 rows with NaN or infinite numbers and 1 zero rows, the first is row 3")
    assert run(*call, tmp_path / "bad.npy", "--bad-rows", "drop").returncode == 0
    refused(run(*call, vectors), "exists already")
    other = ("sae", "train", *SMALL, "--output", tmp_path / "t")
    refused(run(*other, vectors, tmp_path / "equal.npy"), "dimension is 8")
    (tmp_path / "x.npy").write_bytes(vectors.read_bytes()[:1000])
    refused(run(*other, tmp_path / "x.npy"), "x.npy")
    (tmp_path / "x.safetensors").write_bytes(b"\x00" * 100)
    refused(run(*other, tmp_path / "x.safetensors"), "safetensors")
    save_file({"a": bad, "b": bad}, tmp_path / "two.safetensors")
    refused(run(*other, tmp_path / "two.safetensors"), "name the matrix of vectors 'vectors'")
    np.save(tmp_path / "ints.npy", np.ones((9, 9), np.uint8))
    refused(run(*other, tmp_path / "ints.npy"), "quantised")
    refused(run(*other, tmp_path / "absent.npy"), "no such file")
    refused(run(*other, tmp_path / "v.csv"), "no such file")
    refused(run("sae", "evaluate", tmp_path / "s", "--vectors", tmp_path / "equal.npy"), "dimension is 8")
    refused(run("sae", "evaluate", tmp_path / "s"), "nothing to measure on")
    refused(run("sae", "info", tmp_path / "absent"), "does not contain an autoencoder")


def test_a_second_training_into_one_folder_is_refused(tmp_path: Path, vectors: Path) -> None:
    call = ("sae", "train", vectors, *SMALL, "--output", tmp_path / "s")
    claim(tmp_path / "s.work", "sae train")  # as the first training does
    with (tmp_path / "s.work" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(run(*call), "another process is working there")
    assert run(*call).returncode == 0


@pytest.mark.slow
def test_a_killed_training_goes_on_and_a_full_disk_loses_nothing(tmp_path: Path, vectors: Path) -> None:
    base = [sys.executable, "-m", "xetrieval", "sae", "train", str(vectors), *map(str, SMALL)]
    long = [*base, "--output", str(tmp_path / "s")]
    long[long.index("--epochs") + 1] = "60"
    slow = (
        "import xetrieval.sae.train.loop as loop\nloop.SAVE_EVERY = loop.SAVE_FACTOR = 0.0\n"
        "from xetrieval.cli import main\nmain()"
    )
    running = subprocess.Popen([sys.executable, "-c", slow, *long[3:]], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (tmp_path / "s.work" / "state.pt").exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "s").exists()

    def tiny_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))

    full = [*base, "--output", str(tmp_path / "full")]
    done = subprocess.run(full, capture_output=True, text=True, preexec_fn=tiny_disk)
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "full").exists()
    done = subprocess.run(long, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    log = [json.loads(line)["step"] for line in (tmp_path / "s" / "log.jsonl").read_text().splitlines()]
    assert log == sorted(set(log))
    assert log[-1] == 600


def test_help_of_every_sae_command_names_its_options() -> None:
    for name in get_command(app).commands["sae"].commands:  # type: ignore[attr-defined]
        done = run("sae", name, "--help")
        assert done.returncode == 0
        assert "--" in done.stdout
