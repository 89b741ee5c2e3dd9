"""The files around the code: one version, results that a repository can hold, no machine's paths."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

import xetrieval
from paper.kit.results import as_json

ROOT = Path(__file__).resolve().parent.parent
RESULTS = sorted((ROOT / "paper").rglob("results/*.json"))


def test_the_version_is_the_same_everywhere() -> None:
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert citation is not None
    page = [json.loads((ROOT / "web" / name).read_text())["version"] for name in ("package.json", "package-lock.json")]
    changes = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changes is not None
    assert {citation[1], *page, changes[1], version("xetrieval")} == {xetrieval.__version__}


def test_the_lock_file_pins_versions_and_names_no_machine() -> None:
    lines = [line for line in (ROOT / "requirements-dev.lock").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 50
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines)
    assert not any(line.startswith("torch==") for line in lines), "pinned in constraints.txt"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_are_summaries_in_short_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 3000, "keep values of single pairs in the work folder"
    json.loads(text)


def test_results_are_written_as_they_are_read() -> None:
    value = {
        "a": [1, None, "é"],
        "rows": [{"id": j, "ci": [0.1, 0.2]} for j in range(100)],
        "deep": {"x": {"y": [[1]]}},
    }
    text = as_json(value)
    assert json.loads(text) == value
    assert text.count("\n") == 106


def test_scripts_that_import_the_root_are_run_as_modules() -> None:
    for path in [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "examples").glob("*.py"), *(ROOT / "docs").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        if re.search(r"^(from|import) (paper|benchmarks|tests)\b", text, re.MULTILINE):
            assert f"python -m {path.parent.name}.{path.stem}" in text, path.name
            assert f"python {path.parent.name}/{path.name}" not in text, path.name
