"""Run the steps in order, each in its own process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from paper.report import draw_all
from paper.steps import HERE, Steps
from xetrieval.files import alone


def run_all(steps: Steps, config: Path, results: Path) -> int:
    """Run the unfinished steps, then draw figures and tables; return the exit code.

    Raises:
        InputError: another process works in the folder.
    """
    steps.work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "paper", "--scale", str(config), "--work", str(steps.work)]
    with alone(
        steps.work / "lock", f"{steps.work}: locked: another process is working here; wait, or choose another --work"
    ):
        for name in steps.todo():
            Console().rule(name)
            started = time.monotonic()
            child = [*command, "--results", str(results.resolve()), "--step", name]
            if code := subprocess.run(child, cwd=HERE.parent).returncode:
                return code
            steps.finish(name, time.monotonic() - started)
        if any(results.glob("*.json")):
            draw_all(results)
    return 0
