"""Trains an autoencoder on files of vectors and writes it to a folder (`xetrieval sae train`); can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..encoders import map_vectors
from ..errors import DivergedError, InputError
from ..files import Work, digest_of, parse_json, stamp_of, write_text
from ..progress import Progress, silent
from ..sae import read_sae_folder
from ..sae.files import SaeFolder
from ..sae.train import SaeConfig, SaeStep, Stack, train_many
from ..sae.train.config import check_device
from ..sae.train.rows import BadRows

LOGGED = 200  # log lines per training run
STATE = "state.pt"


def train_from_files(
    paths: Sequence[Path],
    config: SaeConfig,
    output: Path,
    bad_rows: BadRows = "refuse",
    progress: Progress = silent,
) -> SaeFolder:
    """Train on the vectors of several files together and write OUTPUT. Call it again to resume after an interruption.

    While it runs, OUTPUT.work contains the state, saved once a minute, and log.jsonl.

    Raises:
        InputError: `output` exists, or a file or its rows cannot be used.
        DamagedError: OUTPUT.work belongs to a different training run.
        DivergedError: see `train_sae`; OUTPUT.work is removed then.
    """
    check_device(config.device)
    stack = Stack([map_vectors(path) for path in paths], [str(path) for path in paths])
    files = [[path.name, stamp_of(path)] for path in paths]
    job = digest_of([files, stack.shape, config.to_dict(), bad_rows])
    with Work(output, "sae train", job, ("log.jsonl", STATE)) as work:
        resumed = (work.folder / STATE).is_file()
        try:
            if not work.published:
                _train(stack, paths, config, output, work, bad_rows, progress)
        except (InputError, DivergedError) as error:
            if not resumed or isinstance(error, DivergedError):
                work.end()  # the next run could not resume from it
            raise
    return read_sae_folder(output)


def _train(
    stack: Stack,
    paths: Sequence[Path],
    config: SaeConfig,
    output: Path,
    work: Work,
    bad_rows: BadRows,
    progress: Progress,
) -> None:
    log = _Log(work.folder / "log.jsonl", config, progress)
    trained = train_many(stack, [config], log.add, None, work.folder / STATE, bad_rows)[0]
    provenance = {
        "vectors": [path.name for path in paths],
        "rows": len(stack),
        "steps": trained.steps,
        "resampled": trained.resampled,
        "config": config.to_dict(),
    }
    metrics = {} if trained.held_out_fvu is None else {"held_out_fvu": trained.held_out_fvu}
    work.publishing()
    trained.sae.save(output, provenance, metrics, log.text())


class _Log:
    """About LOGGED JSON lines per training run; a resumed run continues them."""

    def __init__(self, path: Path, config: SaeConfig, progress: Progress) -> None:
        self.path, self.config, self.progress = path, config, progress
        self.lines: list[Any] = []
        if path.is_file():
            self.lines = [parse_json(line) for line in path.read_bytes().splitlines()]
        self.started, self.first = time.monotonic(), 0

    def add(self, _: int, step: SaeStep) -> None:
        self.first = self.first or step.step
        rows = (step.step - self.first + 1) * self.config.batch_size
        rate = rows / max(time.monotonic() - self.started, 1e-9)
        self.progress("train", step.step, step.steps, f"{step.note}  {rate:,.0f} rows/s")
        if step.step % max(1, step.steps // LOGGED) == 0 or step.step == step.steps:
            self.lines = [line for line in self.lines if line["step"] < step.step]
            self.lines.append({**step._asdict(), "rows_per_second": round(rate)})
            write_text(self.path, self.text())

    def text(self) -> str:
        return "".join(json.dumps(line) + "\n" for line in self.lines)
