"""Every table and figure of the paper: python -m paper [--scale small|paper|FILE] [--work DIR] [--only STEP ...]

Runs the steps in order, each in its own process. A finished step runs again only if its script, its part of the config
or what all steps share has changed. --dry-run lists what would run and what is missing; --draw redraws figures and
tables from the results.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from paper import dry_run
from paper.facts import measure
from paper.report import draw_all
from paper.runner import run_all
from paper.setting import Setting
from paper.steps import Steps
from xetrieval.errors import InputError, XetrievalError

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", default="small", help="small, paper, or a config file")
    parser.add_argument(
        "--work", type=Path, default=Path("reproduce-work"), help="where vectors, models and autoencoders go"
    )
    parser.add_argument("--results", type=Path, help="paper/results, or a folder of the scale's name in it")
    parser.add_argument("--only", nargs="*", help="run these steps only")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--draw", action="store_true", help="redraw figures and tables from the results")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        sys.exit(go(given))
    except XetrievalError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        if not given.step:  # the parent process prints the message
            Console(stderr=True).print("\ninterrupted; rerun the same command to resume")
        sys.exit(130)


def go(given: argparse.Namespace) -> int:
    """Do what the options say; return the exit code."""
    path = Path(given.scale).resolve() if given.scale.endswith(".json") else HERE / f"{given.scale}.json"
    steps = Steps.read(path, given.work.resolve(), given.only)
    results = given.results or HERE / "results" / ("" if given.scale == "small" else path.stem)
    if given.draw:
        draw_all(results)
    elif given.dry_run:
        return dry_run.run(steps)
    elif given.step:
        measure(Setting(steps.config, steps.work), given.step, results)
    elif gone := [what for what, _, fine in dry_run.checks(steps.config) if not fine]:
        raise InputError(f"missing: {', '.join(gone)}; run with --dry-run for details")
    else:
        return run_all(steps, path, results)
    return 0


if __name__ == "__main__":
    main()
