"""Every figure again, one after the other: python -m reproduce --work DIR [--mpnet MODEL] [--only NAME ...] [--dry-run]

Steps stand in small.json. What is done is kept in DIR/done, named by a hash of script and arguments: run it again and
it goes on. Steps that need a model that was not given are passed over, and said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("reproduce-work"))
    parser.add_argument("--mpnet", help="folder of all-mpnet-base-v2, the second encoder and the judge of names")
    parser.add_argument("--only", nargs="*", help="names of steps")
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    steps = json.loads((HERE / "small.json").read_text())["steps"]
    given.work = given.work.resolve()
    if given.only and (unknown := set(given.only) - {step["name"] for step in steps}):
        sys.exit(f"no step {sorted(unknown)[0]!r}; there are {', '.join(step['name'] for step in steps)}")
    wanted = [step for step in steps if not given.only or step["name"] in given.only]
    console = Console()
    table = Table("step", "results", "minutes, about", "now", box=None)
    for step in wanted:
        table.add_row(
            step["name"], ", ".join(step["results"]) or "what others need", str(step["minutes"]), state(step, given)
        )
    console.print(table)
    if given.dry_run:
        return
    for step in wanted:
        if state(step, given) == "to do":
            run(step, given, console)


def state(step: dict[str, Any], given: argparse.Namespace) -> str:
    if "{mpnet}" in step["args"] and given.mpnet is None:
        return "needs --mpnet"
    return "done" if done(step, given).is_file() else "to do"


def run(step: dict[str, Any], given: argparse.Namespace, console: Console) -> None:
    console.rule(step["name"])
    started = time.time()
    ended = subprocess.run([sys.executable, HERE / step["script"], *arguments(step, given)])
    if ended.returncode:
        sys.exit(f"{step['name']} failed; mend what it says and run this again")
    done(step, given).parent.mkdir(parents=True, exist_ok=True)
    done(step, given).write_text(json.dumps({"step": step["name"], "seconds": round(time.time() - started)}) + "\n")


def arguments(step: dict[str, Any], given: argparse.Namespace) -> list[str]:
    return [part.format(work=given.work, mpnet=given.mpnet) for part in step["args"]]


def done(step: dict[str, Any], given: argparse.Namespace) -> Path:
    made = sha256((HERE / step["script"]).read_bytes() + "\0".join(step["args"]).encode()).hexdigest()
    return Path(given.work) / "done" / f"{step['name']}-{made[:12]}.json"


if __name__ == "__main__":
    main()
