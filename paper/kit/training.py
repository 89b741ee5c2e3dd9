"""A training that is written to a folder and resumes there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xetrieval.progress import Progress, silent
from xetrieval.sae.stack import Stack
from xetrieval.sae.train import SaeConfig, SaeStep, train_many


def train_to_folder(
    rows: Any, config: SaeConfig, output: Path, provenance: dict[str, Any] | None = None, progress: Progress = silent
) -> None:
    """Train on rows [n, m] in memory and write OUTPUT; an existing OUTPUT is left as it is.

    While it runs OUTPUT.state.pt has the state, saved once a minute, and the same call resumes from it.

    Raises:
        InputError: rows that cannot be used. DamagedError: the state belongs to another training.
    """
    if output.exists():
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    state = output.with_name(output.name + ".state.pt")

    def on_step(_: int, step: SaeStep) -> None:
        progress("train", step.step, step.steps, step.note)

    trained = train_many(Stack([rows]), [config], on_step, None, state)[0]
    facts = {**(provenance or {}), "rows": len(rows), "steps": trained.steps, "config": config.to_dict()}
    trained.sae.save(output, facts)
    state.unlink()
