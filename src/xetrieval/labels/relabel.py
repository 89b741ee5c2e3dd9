"""Writes labels, scores and families into an explainer, and records every label in its history.

The explainer is a separate folder, or part of an index (`index.build.labelled`).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from ..errors import InputError
from ..explain import Explainer
from ..explain.folder import HISTORY, SHIPPED, find, write_explainer
from ..features import Family, Feature, Score, check_feature_ids
from ..files import check_folder, check_new_folder, check_outside_indexes, path_of, writing
from ..files.scratch import sweep_beside
from ..text import printable
from .families import FamilyTree, renamed

PERSON: Final = "worksheet"  # source of a person's labels, or worksheet:AUTHOR


MOST_AUTHOR: Final = 80  # characters of an author's name


def by_person(source: str | None) -> bool:
    """Whether a person wrote a label, which may then be replaced only by another person's."""
    return source is not None and source.partition(":")[0] == PERSON


def source_of(author: str | None) -> str:
    """The source of a person's labels.

    Raises:
        InputError: no printable name.
    """
    if author is None:
        return PERSON
    if not printable(author) or len(author) > MOST_AUTHOR:
        raise InputError(f"author: give a name of 1 to {MOST_AUTHOR} characters")
    return f"{PERSON}:{printable(author)}"


class Writing(NamedTuple):
    """An explainer's folder, and a function that writes a changed explainer with its history."""

    folder: Path
    write: Callable[[Explainer, str], None]


class LabelTarget(Protocol):
    """The protocol of a place where labels are written."""

    def check(self) -> None:
        """Raise an error if it cannot be written. Call it before long work starts."""

    def writing(self) -> AbstractContextManager[Writing]:
        """Make this the only process that writes there."""


@dataclass(frozen=True)
class FolderTarget:
    """An explainer in a folder, or a copy of it."""

    source: str | Path
    output: Path | None = None  # None: the explainer itself

    def check(self) -> None:
        """See `check_target`."""
        check_target(self.source, self.output)

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """Lock the folder that is written."""
        folder, target = find(self.source), check_target(self.source, self.output)

        def write(explainer: Explainer, history: str) -> None:
            write_explainer(explainer, target, overwrite=self.output is None, history=history)

        with writing(target):
            sweep_beside(target, alone=True)
            yield Writing(folder, write)


class NewLabel(NamedTuple):
    """A label for a feature, or None to remove its label."""

    feature_id: int
    label: str | None
    source: str
    prompt: str | None = None
    scores: tuple[Score, ...] = ()
    examples: tuple[str, ...] | None = None  # ids; None keeps the current ones
    transferred: Mapping[str, object] | None = None  # source autoencoder, source feature, and similarity
    near_from: float | None = None


class RelabelCounts(NamedTuple):
    """How many labels a run changed."""

    changed: int
    same: int
    kept: int  # labels by people that were not replaced; the history records the proposals


def relabel(
    target: str | Path | LabelTarget, labels: Iterable[NewLabel], output: Path | None = None, *, force: bool = False
) -> RelabelCounts:
    """Write labels into an explainer, or into a copy of it.

    A person's label is replaced only by another person's, unless `force`. Families of features whose labels change are
    renamed.

    Raises:
        InputError: the shipped explainer without `output`, an `output` that exists, or an unknown feature.
    """
    counts: Counter[str] = Counter()
    with _changing(target, output) as draft:
        for new in labels:
            check_feature_ids([new.feature_id], len(draft.features))
            old = draft.features[new.feature_id]
            if (old.label, old.source, old.prompt) == (new.label, new.source, new.prompt):
                counts["same"] += 1
                continue
            adopted = force or not by_person(old.source) or by_person(new.source)
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
                    near_from=new.near_from,
                    examples=old.examples if new.examples is None else new.examples,
                )
    return RelabelCounts(counts["changed"], counts["same"], counts["kept"])


def record_scores(
    target: str | Path | LabelTarget, scores: Mapping[int, Sequence[Score]], output: Path | None = None
) -> None:
    """Write scores of the current labels, replacing scores of the same kind, texts and judge."""
    with _changing(target, output) as draft:
        draft.features = [_scored(feature, scores.get(feature.feature_id, ())) for feature in draft.features]


def record_families(
    target: str | Path | LabelTarget, tree: FamilyTree, frequency: Sequence[float], output: Path | None = None
) -> None:
    """Write a tree of families, each feature's position in it, and each feature's frequency in the examples."""
    with _changing(target, output) as draft:
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
        output = path_of(output)
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
    """A line of history.jsonl, with a timestamp."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({"at": at, **facts}, ensure_ascii=False) + "\n"


@dataclass
class _Draft:
    """The changes to an explainer, and what its history records about them."""

    features: list[Feature]
    families: tuple[Family, ...] | None = None  # None: the current ones, named after the new labels
    events: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def _changing(target: str | Path | LabelTarget, output: Path | None) -> Iterator[_Draft]:
    """A draft of the explainer's features, which is written at the end."""
    place = FolderTarget(target, output) if isinstance(target, str | Path) else target
    with place.writing() as (folder, write):
        explainer = Explainer.load(folder)
        draft = _Draft(list(explainer.features))
        yield draft
        others = {
            f.feature_id for f, old in zip(draft.features, explainer.features, strict=True) if f.label != old.label
        }
        families = draft.families or renamed(explainer.families, draft.features, others, explainer.sae.directions)
        changed = replace(explainer, features=tuple(draft.features), families=families)
        write(changed, history_of(folder) + "".join(history_line(**event) for event in draft.events))


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
