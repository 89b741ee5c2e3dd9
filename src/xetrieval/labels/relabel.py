"""New labels, scores and families for an explainer in a folder: one table, and a history that only grows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import InputError
from ..explain import Explainer
from ..explain.folder import HISTORY, SHIPPED, find, write_explainer
from ..features import Feature, Score
from ..files import alone, cache_folder, check_folder, check_new_folder, check_writable, digest_of
from ..files.folders import sweep_beside
from .families import Grouped

PERSON: Final = "worksheet"  # the source whose labels only a person replaces


class NewLabel(NamedTuple):
    """A label for a feature, or None to take its label away."""

    feature: int
    label: str | None
    source: str
    prompt: str | None = None
    scores: tuple[Score, ...] = ()
    examples: tuple[str, ...] | None = None  # ids; None leaves those it has
    transferred: Mapping[str, Any] | None = None  # of which autoencoder and feature it was, and how alike they are


class Relabelled(NamedTuple):
    """What a run changed."""

    changed: int
    same: int
    kept: int  # labels by a person that a machine's did not replace; the history has what was offered


def relabel(
    source: str | Path, labels: Iterable[NewLabel], output: Path | None = None, replace_worksheet: bool = False
) -> Relabelled:
    """Write labels into an explainer's table, or into a copy of it.

    A label from anything but a worksheet never replaces a worksheet's, unless `replace_worksheet`.

    Raises:
        InputError: the shipped explainer without `output`, an `output` that exists, or an unknown feature.
    """
    counts = {"changed": 0, "same": 0, "kept": 0}

    def change(explainer: Explainer) -> tuple[Explainer, list[dict[str, Any]]]:
        table, events = list(explainer.features), []
        for new in labels:
            if not 0 <= new.feature < len(table):
                raise InputError(f"explainer {explainer.name} has no feature {new.feature}")
            old = table[new.feature]
            event = _event(old, new)
            if (old.label, old.source, old.prompt) == (new.label, new.source, new.prompt):
                counts["same"] += 1
                continue
            if old.source == PERSON and new.source != PERSON and not replace_worksheet:
                counts["kept"] += 1
                events.append({**event, "adopted": False})
                continue
            counts["changed"] += 1
            events.append({**event, "adopted": True})
            table[new.feature] = replace(
                old,
                label=new.label,
                source=new.source if new.label else None,
                prompt=new.prompt,
                scores=new.scores,
                examples=old.examples if new.examples is None else new.examples,
            )
        return replace(explainer, features=tuple(table)), events

    _rewrite(source, output, change)
    return Relabelled(**counts)


def record_scores(source: str | Path, scores: Mapping[int, Sequence[Score]], output: Path | None = None) -> None:
    """Write scores beside the labels they are of; those of the same kind, texts and judge are replaced."""

    def change(explainer: Explainer) -> tuple[Explainer, list[dict[str, Any]]]:
        return replace(
            explainer, features=tuple(_scored(f, scores.get(f.feature_id, ())) for f in explainer.features)
        ), []

    _rewrite(source, output, change)


def record_families(
    source: str | Path, grouped: Grouped, frequency: Sequence[float], output: Path | None = None
) -> None:
    """Write a tree, where each feature hangs in it, and how often each is active on the examples' corpus."""

    def change(explainer: Explainer) -> tuple[Explainer, list[dict[str, Any]]]:
        table = tuple(
            replace(
                f,
                family=grouped.family[f.feature_id],
                flags=grouped.flags[f.feature_id],
                frequency=round(frequency[f.feature_id], 7),
            )
            for f in explainer.features
        )
        return replace(explainer, features=table, families=tuple(grouped.families)), []

    _rewrite(source, output, change)


def check_target(source: str | Path, output: Path | None) -> Path:
    """Where a change of `source` is written; asked before long work starts.

    Raises:
        InputError: the shipped explainer without `output`, an `output` that exists, or one that cannot be written.
    """
    folder = find(source)
    if output is None and Path(os.path.realpath(folder)).parent == SHIPPED:
        raise InputError(f"{source}: the shipped explainer is not changed; give --output for a copy of it")
    if output is not None:
        check_new_folder(output)
        return output
    check_folder(folder.parent)
    return folder


def history_of(folder: Path) -> str:
    """What history.jsonl holds, as it stands."""
    path = folder / HISTORY
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def now() -> str:
    """This second, UTC, as history writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rewrite(
    source: str | Path,
    output: Path | None,
    change: Callable[[Explainer], tuple[Explainer, list[dict[str, Any]]]],
) -> None:
    folder, target = find(source), check_target(source, output)
    lock = cache_folder() / f"relabel-{digest_of(os.path.realpath(target))[:16]}.lock"
    check_writable(lock.parent)
    with alone(lock, f"{target}: another process is writing it; wait for it"):
        sweep_beside(target)
        changed, events = change(Explainer.load(folder))
        added = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)
        write_explainer(changed, target, overwrite=output is None, history=history_of(folder) + added)


def _event(old: Feature, new: NewLabel) -> dict[str, Any]:
    return {
        "at": now(),
        "feature": new.feature,
        "label": new.label,
        "source": new.source,
        **({"prompt": new.prompt} if new.prompt else {}),
        **({"transferred": dict(new.transferred)} if new.transferred else {}),
        "before": {"label": old.label, "source": old.source},
    }


def _scored(feature: Feature, new: Sequence[Score]) -> Feature:
    replaced = {(s.kind, s.negatives, s.active, s.judge) for s in new}
    kept = [s for s in feature.scores if (s.kind, s.negatives, s.active, s.judge) not in replaced]
    return replace(feature, scores=(*kept, *new)) if new else feature
