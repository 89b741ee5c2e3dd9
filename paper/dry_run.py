"""Check everything without downloading: what is missing, what will be fetched, and what it will cost."""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from paper.plan import costs
from paper.steps import Steps
from xetrieval.extras import require

NEEDS = ("torch", "numba", "sentence_transformers", "scipy", "ir_measures", "matplotlib")


def run(steps: Steps) -> int:
    """Print the checks and the costs. Returns 2 if something is missing that no download provides, else 0."""
    console, missing = Console(), []
    table = Table("what", "state", box=None)
    for what, state, fine in checks(steps.config):
        table.add_row(what, state if fine else f"[bold red]{state}[/]")
        missing += [] if fine else [what]
    cost, spent = costs(steps.config), Table("step", "hours", "GB", "tokens", "", "now", box=None)
    for name in steps.names:
        one, took = cost[name], steps.seconds(name)
        tokens = f"{one.tokens / 1e6:,.0f} M" if one.tokens else ""
        now = "to do" if took is None else f"done in {took} s"
        spent.add_row(name, f"{one.hours:.2f}", f"{one.gigabytes:.1f}", tokens, one.note, now)
    console.print(table, "", spent, "", sep="\n")
    hours, disk = (sum(getattr(cost[name], what) for name in steps.names) for what in ("hours", "gigabytes"))
    free = shutil.disk_usage(next(p for p in (steps.work, *steps.work.parents) if p.exists())).free / 1e9
    console.print(f"{hours:.1f} hours and {disk:.0f} GB in all; {free:.0f} GB are free", highlight=False)
    missing += [f"{disk - free:.0f} GB of disk"] if disk > free else []
    if missing:
        console.print(f"missing: {', '.join(missing)}", highlight=False)
    return 2 if missing else 0


def checks(config: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """(what, its state, whether it is there or can be downloaded)."""
    found = [(f"package {name}", *_package(name)) for name in NEEDS]
    names = sorted(set(re.findall(r"\$(\w+)", str(config))))
    found += [(f"${name}", *(("set", True) if name in os.environ else ("not set", False))) for name in names]
    for group in dict.fromkeys(facts["sets"] for facts in config["encoders"].values()):
        found += [(f"set {facts['source']}", *_set(facts)) for facts in config["sets"][group]]
    for source in config["corpus"]["sources"]:
        found.append((f"corpus {source.split('#')[0]}", *_local(source.removeprefix("stackexchange:").split("#")[0])))
    if config["sae"].get("device") == "cuda":
        card = require("torch", "train").cuda.is_available()
        found.append(("GPU", *(("there", True) if card else ("none", False))))
    return list(dict.fromkeys(found))


def _package(name: str) -> tuple[str, bool]:
    return ("installed", True) if find_spec(name) else ('pip install "xetrieval[eval,plot,train,encoders]"', False)


def _set(facts: dict[str, Any]) -> tuple[str, bool]:
    if not facts["source"].startswith("irds:"):
        return _local(facts["source"])
    names = {str(name) for name in require("ir_datasets", "irds").registry}
    known = facts["source"].removeprefix("irds:") in names
    note = f"known to ir-datasets; needs {facts['licence']}" if "licence" in facts else "known to ir-datasets, fetched"
    return (note, True) if known else ("unknown to ir-datasets", False)


def _local(source: str) -> tuple[str, bool]:
    path = Path(os.path.expandvars(source))
    there = path.exists() or (Path(os.environ.get("XETRIEVAL_DATA", ".")) / path).exists()
    return ("there", True) if there else ("no such folder, nor under XETRIEVAL_DATA", False)
