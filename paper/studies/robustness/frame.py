"""Run attempts of one kind, each in its own process, and count the outcomes.

An attempt is a name and a function that returns an outcome. These outcomes, and all errors of ours, count as passed:

    right      an answer without NaN, and the expected one if the script compares it
    refused    with a message, by an error of ours (or exit code 2 and one line)
    found      the damage was found and the file was named
    the same   after a kill and a second run, everything is as without the kill

Anything else failed: another outcome, a traceback, a signal, a timeout. A script stops after 100 seconds and records
the number of attempts.

    python -m paper.studies.robustness.index_flips        one script; writes results/index_flips.json
    python -m paper.studies.robustness.render             the table of docs/robustness.md from results/*.json
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from paper.kit.results import as_json
from xetrieval.errors import XetrievalError

RESULTS = Path(__file__).parent / "results"
HELD = ("right", "refused", "found", "the same")
BOUND = 100.0  # seconds of one script
PATIENCE = 30.0  # seconds of one try


class Try(NamedTuple):
    """One attempt."""

    kind: str  # line of the table
    name: str  # identifies the attempt if it fails
    do: Callable[[], str]


def attempt(do: Callable[[], str], patience: float = PATIENCE) -> str:
    """The outcome of one attempt, made in its own process."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        os.write(writes, _outcome(do).encode()[:400])
        os._exit(0)
    os.close(writes)
    try:
        if not select.select([reads], [], [], patience)[0]:
            os.kill(child, signal.SIGKILL)
            return f"no end within {patience:g} s"
        word = os.read(reads, 4096).decode()
    finally:
        os.close(reads)
        _, status = os.waitpid(child, 0)
    return word or f"signal {os.WTERMSIG(status) if os.WIFSIGNALED(status) else status}"


def warm(do: Callable[[], object]) -> None:
    """Import what `do` imports once, before forking, so that attempts do not import it again."""
    with tempfile.TemporaryDirectory() as home:
        seen = Path(home) / "modules"
        child = os.fork()
        if child == 0:
            with suppress(XetrievalError, SystemExit):
                do()
            seen.write_text("\n".join(sys.modules))
            os._exit(0)
        os.waitpid(child, 0)
        for name in seen.read_text().splitlines():
            with suppress(ImportError):
                importlib.import_module(name)


def _outcome(do: Callable[[], str]) -> str:
    try:
        return do()
    except XetrievalError:
        return "refused"
    except BaseException as error:
        return f"traceback: {type(error).__name__}: {error}"


def command(*arguments: object) -> tuple[int, str, str]:
    """Run the command line in this process: exit code, standard output, standard error. Exceptions propagate."""
    from xetrieval.cli import main

    out, err, code = StringIO(), StringIO(), 0
    argv = ["xetrieval", *map(str, arguments)]
    with redirect_stdout(out), redirect_stderr(err), mock.patch.object(sys, "argv", argv):
        try:
            main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
    return code, out.getvalue(), err.getvalue()


def refusal(code: int, errors: str) -> str:
    """Whether a command was refused properly: exit code 2, a message, no traceback."""
    lines = [line for line in errors.splitlines() if line.strip()]
    if code == 2 and lines and "Traceback" not in errors and len(lines[-1]) < 1000:
        return "refused"
    return f"exit code {code}: {lines[-1][:200] if lines else 'without a word'}"


def carry_out(area: str, tries: Iterable[Try], results: Path = RESULTS) -> dict[str, object]:
    """Make the attempts, count the outcomes, and write results/AREA.json."""
    began, tried, held = time.monotonic(), Counter[str](), Counter[str]()
    failed = []
    for one in tries:
        if time.monotonic() - began > BOUND:
            break
        word = attempt(one.do)
        tried[one.kind] += 1
        if word in HELD:
            held[one.kind] += 1
        else:
            failed.append({"kind": one.kind, "try": one.name, "outcome": word})
    seconds = time.monotonic() - began
    return _written(area, tried, held, failed, results, seconds)


def counted(area: str, tried: Mapping[str, int], failed: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The same record for attempts that a script made itself; `failed` has (kind, what failed)."""
    made = Counter(tried)
    held = made - Counter(kind for kind, _ in failed)
    lines = [{"kind": kind, "try": what, "outcome": "did not hold"} for kind, what in failed]
    return _written(area, made, held, lines, RESULTS, None)


def _written(
    area: str,
    tried: Counter[str],
    held: Counter[str],
    failed: list[dict[str, str]],
    results: Path,
    seconds: float | None,
) -> dict[str, object]:
    kinds = {kind: {"tried": count, "held": held[kind]} for kind, count in tried.items()}
    record = {"area": area, "tried": tried.total(), "held": held.total(), "kinds": kinds, "failed": failed}
    results.mkdir(parents=True, exist_ok=True)
    name = area.replace(" ", "_").replace(",", "")
    (results / f"{name}.json").write_text(as_json(record), encoding="utf-8")
    took = "" if seconds is None else f", {seconds:.0f} s"
    sys.stdout.write(f"{area}: {held.total():,} of {tried.total():,} held{took}\n")
    for line in failed[:20]:
        sys.stdout.write(f"  {line['kind']}: {line['try']}: {line['outcome']}\n")
    return record
