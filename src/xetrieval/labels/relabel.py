"""Write labels, scores and families into the folder of an explainer, and record every label in its history."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import InputError
from ..explain import Explainer
from ..explain.folder import HISTORY, SHIPPED, find, write_explainer
from ..features import Family, Feature, Score, check_feature_ids
from ..files import check_folder, check_new_folder, check_outside_indexes, writing
from ..files.scratch import sweep_beside
from .families import FamilyTree, renamed

PERSON: Final = "worksheet"  # a label from this source is replaced only by another one from it


class NewLabel(NamedTuple):
    """A label for a feature, or None to remove its label."""

    feature_id: int
    label: str | None
    source: str
    prompt: str | None = None
    scores: tuple[Score, ...] = ()
    examples: tuple[str, ...] | None = None  # ids; None keeps the present ones
    transferred: Mapping[str, object] | None = None  # from which autoencoder and feature, and how similar the two are


class RelabelCounts(NamedTuple):
    """How many labels a run changed."""

    changed: int
    same: int
    kept: int  # labels by a person that were not replaced; the history records what was proposed


def relabel(
    source: str | Path, labels: Iterable[NewLabel], output: Path | None = None, *, replace_worksheet: bool = False
) -> RelabelCounts:
    """Write labels into an explainer, or into a copy of it.

    A worksheet's label is replaced only by another worksheet's, unless `replace_worksheet`. Families of features with
    another label get a new name.

    Raises:
        InputError: the shipped explainer without `output`, an `output` that exists, or an unknown feature.
    """
    counts: Counter[str] = Counter()
    with _changing(source, output) as draft:
        for new in labels:
            check_feature_ids([new.feature_id], len(draft.features))
            old = draft.features[new.feature_id]
            if (old.label, old.source, old.prompt) == (new.label, new.source, new.prompt):
                counts["same"] += 1
                continue
            adopted = old.source != PERSON or new.source == PERSON or replace_worksheet
            counts["changed" if adopted else "kept"] += 1
            draft.events.append({**_event(old, new), "adopted": adopted})
            if adopted:
                draft.features[new.feature_id] = replace(
                    old,
                    label=new.label,
                    source=new.source if new.label else None,
                    prompt=new.prompt,
                    scores=new.scores,
                    holds_from=None,
                    near_from=None,
                    examples=old.examples if new.examples is None else new.examples,
                )
    return RelabelCounts(counts["changed"], counts["same"], counts["kept"])


def record_scores(source: str | Path, scores: Mapping[int, Sequence[Score]], output: Path | None = None) -> None:
    """Write scores of the present labels; a score of the same kind, texts and judge is replaced."""
    with _changing(source, output) as draft:
        draft.features = [_scored(feature, scores.get(feature.feature_id, ())) for feature in draft.features]


def record_families(
    source: str | Path, tree: FamilyTree, frequency: Sequence[float], output: Path | None = None
) -> None:
    """Write a tree of families, the place of each feature in it, and each feature's frequency in the examples."""
    with _changing(source, output) as draft:
        draft.families = tuple(tree.families)
        draft.features = [
            replace(feature, family=tree.family[j], flags=tree.flags[j], frequency=round(frequency[j], 7))
            for j, feature in enumerate(draft.features)
        ]


def check_target(source: str | Path, output: Path | None) -> Path:
    """The folder that a change of `source` is written to. Call it before long work starts.

    Raises:
        InputError: without `output`, the shipped explainer or that of an index; an `output` that exists; or a folder
            that is read-only.
    """
    folder = find(source)
    if output is None and Path(os.path.realpath(folder)).parent == SHIPPED:
        raise InputError(f"{source}: the shipped explainer is not changed; give --output for a copy of it")
    if output is not None:
        check_new_folder(output)
        return output
    check_outside_indexes(folder)
    check_folder(folder.parent)
    return folder


def history_of(folder: Path) -> str:
    """The content of history.jsonl, empty if there is none."""
    path = folder / HISTORY
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def history_line(**facts: object) -> str:
    """A line of history.jsonl, with the time."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"at": at, **facts}, ensure_ascii=False) + "\n"


@dataclass
class _Draft:
    """What may change in an explainer, and what its history records about it."""

    features: list[Feature]
    families: tuple[Family, ...] | None = None  # None: the present ones, named after the new labels
    events: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def _changing(source: str | Path, output: Path | None) -> Iterator[_Draft]:
    """A draft of the explainer's features, which is written at the end."""
    folder, target = find(source), check_target(source, output)
    with writing(target):
        sweep_beside(target, alone=True)
        explainer = Explainer.load(folder)
        draft = _Draft(list(explainer.features))
        yield draft
        others = {
            f.feature_id for f, old in zip(draft.features, explainer.features, strict=True) if f.label != old.label
        }
        families = draft.families or renamed(explainer.families, draft.features, others, explainer.sae.directions)
        changed = replace(explainer, features=tuple(draft.features), families=families)
        history = history_of(folder) + "".join(history_line(**event) for event in draft.events)
        write_explainer(changed, target, overwrite=output is None, history=history)


def _event(old: Feature, new: NewLabel) -> dict[str, Any]:
    return {
        "feature": new.feature_id,
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
