"""Who names features. Every labeller takes the examples that are shown to labellers, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from ..errors import InputError
from ..llm import CachedChat, Request, in_parallel
from ..llm.prompts import PromptFile, read_prompt_file
from .examples import Example, FeatureExamples
from .keyphrases import keyphrase_labels
from .naming import read_label

PROMPTS: Final = Path(__file__).resolve().parent / "prompts"
LETTERS: Final = 240  # of a text that a model is shown

Report = Callable[[int, int, str], None]  # features done, features in all, a note
Judge = Callable[[str, FeatureExamples], float]  # how well a label fits a feature's shown texts


class Proposal(NamedTuple):
    """A label for one feature, or why there is none."""

    feature: int
    label: str | None
    fault: str | None = None


class Labeller(Protocol):
    """Names features from examples."""

    @property
    def source(self) -> str:
        """As the feature table records it."""

    @property
    def prompt(self) -> str | None:
        """Identity of its prompt, if it has one."""

    def label(self, features: Sequence[FeatureExamples], report: Report | None = None) -> Iterator[Proposal]:
        """A proposal for each feature, as they come."""


class KeyphraseLabeller:
    """Phrases that a feature's texts hold more often than texts at large: offline, instant, and only lexical."""

    source, prompt = "keyphrase", None

    def __init__(self, background: Iterable[str]) -> None:
        self.background = list(background)

    def label(self, features: Sequence[FeatureExamples], report: Report | None = None) -> Iterator[Proposal]:
        """A proposal for each feature; None where its texts share no phrase."""
        texts = [*self.background]
        rows: list[list[int]] = []
        for feature in features:
            active = [example.shown for example in feature.shown.active]
            rows.append(list(range(len(texts), len(texts) + len(active))))
            texts += active
        labels = keyphrase_labels(texts.__getitem__, rows, range(len(self.background)))
        for place, (feature, label) in enumerate(zip(features, labels, strict=True), 1):
            if report is not None:
                report(place, len(features), "")
            yield Proposal(feature.feature_id, label, None if label else "its texts share no phrase")


class LlmLabeller:
    """A language model. Several candidates are asked for and the one that fits the shown texts best is kept.

    Args:
        candidates: answers per feature; those after the first are asked for at higher temperature.
        judge: which of several is best; needed with more than one.
        retries: how often an answer of no use is asked for again.
        prompt: the name of a prompt that ships, or a file.
    """

    def __init__(
        self,
        model: CachedChat,
        candidates: int = 1,
        judge: Judge | None = None,
        retries: int = 2,
        concurrency: int = 8,
        prompt: str | Path = "label",
    ) -> None:
        if candidates < 1 or retries < 0:
            raise InputError("labels: at least one candidate, and no fewer than 0 retries")
        if candidates > 1 and judge is None:
            raise InputError("labels: several candidates need a judge that chooses between them")
        self.model, self.candidates, self.judge = model, candidates, judge
        self.retries, self.concurrency = retries, concurrency
        self.file = read_prompt_file(prompt, PROMPTS)
        _needs(self.file, "active", "fence")

    @property
    def source(self) -> str:
        """llm:MODEL."""
        return f"llm:{self.model.name}"

    @property
    def prompt(self) -> str:
        """NAME/VERSION/HASH."""
        return self.file.identity

    def request(self, feature: FeatureExamples, attempt: int = 0, fault: str | None = None) -> Request:
        """What is asked about a feature."""
        active = feature.shown.active
        most = max((example.activation for example in active), default=1.0)
        lines = [f"{max(1, round(10 * e.activation / most))} {one_line(e.shown)}" for e in active]
        silent = [one_line(e.shown) for e in _alternating(feature.shown.hard, feature.shown.random)]
        return self.file.request(active="\n".join(lines), silent="\n".join(silent), attempt=attempt, fault=fault)

    def label(self, features: Sequence[FeatureExamples], report: Report | None = None) -> Iterator[Proposal]:
        """A proposal for each feature, in the order of completion."""
        for done, (_, proposal) in enumerate(in_parallel(self._label, features, self.concurrency), 1):
            if report is not None:
                report(done, len(features), f"{self.model.ledger.usage.total:,} tokens")
            yield proposal

    def _label(self, feature: FeatureExamples) -> Proposal:
        if not feature.shown.active:
            return Proposal(feature.feature_id, None, "no text activates it")
        texts = [example.shown for example in feature.shown.active]
        found: dict[str, None] = {}
        fault: str | None = None
        attempt = failures = 0
        while len(found) < self.candidates and failures <= self.retries and attempt < self.candidates + self.retries:
            named = read_label(self.model.ask(self.request(feature, attempt, fault)), texts)
            attempt, fault = attempt + 1, named.fault
            failures += named.fault is not None
            if named.fault is None:
                found[named.label] = None
        if not found:
            return Proposal(feature.feature_id, None, fault)
        labels = list(found)
        if self.judge is None or len(labels) == 1:
            return Proposal(feature.feature_id, labels[0])
        judge = self.judge
        return Proposal(feature.feature_id, max(labels, key=lambda label: judge(label, feature)))


def one_line(text: str, letters: int = LETTERS) -> str:
    """A text as a line of a list."""
    line = " ".join(text.split())
    return line if len(line) <= letters else line[:letters].rsplit(" ", 1)[0] + " ..."


def _alternating(first: Sequence[Example], second: Sequence[Example]) -> list[Example]:
    count = max(len(first), len(second))
    return [part[place] for place in range(count) for part in (first, second) if place < len(part)][:10]


def _needs(file: PromptFile, *names: str) -> None:
    for name in names:
        if not any("{" + name + "}" in text for _, text in file.turns):
            raise InputError(f"{file.path}: {{{name}}} stands in no turn")
