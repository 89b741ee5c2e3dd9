"""A language model writes a text about every document in every aspect. Resumes, never invents, never asks twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..data import BadLine, Document, read_json_lines
from ..errors import BudgetSpent, EndpointError, InputError
from ..files import alone, cache_folder, check_writable, digest_of, replacing
from ..llm import CachedChat, Estimate, Request, estimate, in_parallel
from .checks import check
from .existing import text_sha256
from .prompt import Prompt

SERVER_FAILURES = 3  # in a row: the server is down, not one document at fault
ONE_DOCUMENT = (400, 413, 422)  # statuses that speak of the request, not of the server

Report = Callable[[int, int, str], None]  # lessons done, lessons in all, a note


@dataclass(frozen=True)
class TeachConfig:
    """How documents are shown and answers asked for."""

    letters: int = 8000  # of a document that the model is shown; what is cut off is counted and said
    retries: int = 2  # how often an answer of no use is asked for again
    concurrency: int = 8

    def __post_init__(self) -> None:
        if self.letters < 200 or self.retries < 0 or self.concurrency < 1:
            raise InputError("teach: letters >= 200, retries >= 0, concurrency >= 1")


@dataclass
class Taught:
    """What a run wrote."""

    documents: int = 0  # with every aspect done, in the output
    texts: int = 0
    cut: int = 0  # documents longer than the model was shown
    failed: Counter[str] = field(default_factory=Counter)  # fault -> lessons given up
    stopped: str | None = None  # why it ended before all documents were done


class _Lesson(NamedTuple):
    document: Document
    prompt: Prompt


class _Outcome(NamedTuple):
    text: str | None
    fault: str | None
    server: EndpointError | None = None


def show_document(text: str, letters: int) -> tuple[str, int]:
    """The part of a document that a model is shown, and how many letters are not."""
    if len(text) <= letters:
        return text, 0
    shown = text[:letters]
    end = shown.rfind(" ", letters - 200)
    shown = shown[:end] if end > 0 else shown
    return f"{shown}\n[{len(text) - len(shown):,} more letters of this document are not shown]", len(text) - len(shown)


def requests(documents: Sequence[Document], prompts: Sequence[Prompt], config: TeachConfig) -> Iterator[Request]:
    """The first request of every lesson."""
    for document in documents:
        shown, _ = show_document(document.text, config.letters)
        for prompt in prompts:
            yield prompt.request(shown)


def cost_of(
    documents: Sequence[Document], prompts: Sequence[Prompt], model: CachedChat, config: TeachConfig | None = None
) -> Estimate:
    """What `teach` would cost, without asking anything."""
    return estimate(model, requests(documents, prompts, config or TeachConfig()))


def teach(
    documents: Sequence[Document],
    prompts: Sequence[Prompt],
    model: CachedChat,
    output: Path,
    config: TeachConfig | None = None,
    report: Report | None = None,
) -> Taught:
    """Write `output`: {"_id", ASPECT: text, ..., "text_sha256", "teacher", "prompts"} a line and document.

    An answer that is of no use is asked for again, then recorded under "failed" with its fault. A budget that is spent
    ends the run: documents that are done are written, and the same call goes on from there. So does an error.

    Raises:
        InputError: `output` is there already and of another teacher, prompt or kind.
        EndpointError: no server, a wrong key, an unknown model, or a server that stays down.
    """
    config, tell = config or TeachConfig(), report or (lambda *_: None)
    if not documents:
        raise InputError("teach: no documents")
    check_writable(output.parent)
    lock = cache_folder() / f"teach-{digest_of(os.path.realpath(output))[:16]}.lock"  # not left beside the output
    check_writable(lock.parent)
    with alone(lock, f"{output}: another process is writing it; wait for it"):
        return _teach(_Run(documents, prompts, model, output, config), tell)


def _teach(run: _Run, tell: Report) -> Taught:
    documents, prompts, model = run.documents, run.prompts, run.model
    todo = [_Lesson(document, prompt) for document in documents if document.id not in run.done for prompt in prompts]
    total, finished = len(documents) * len(prompts), len(run.done) * len(prompts)
    failures, answered = 0, False
    tell(finished, total, _note(model, run.taught))
    try:
        for lesson, outcome in in_parallel(run.learn, todo, run.config.concurrency):
            finished += 1
            run.record(lesson, outcome)
            answered = answered or outcome.server is None
            failures = failures + 1 if outcome.server is not None else 0
            if outcome.server is not None and (not answered or failures >= SERVER_FAILURES):
                raise outcome.server
            tell(finished, total, _note(model, run.taught))
    except BudgetSpent as spent:
        run.taught.stopped = str(spent)
    finally:
        run.write()
    return run.taught


class _Run:
    """The records of one run, by document."""

    def __init__(
        self, documents: Sequence[Document], prompts: Sequence[Prompt], model: CachedChat, output: Path, config: Any
    ) -> None:
        self.documents, self.prompts, self.model, self.output = documents, prompts, model, output
        self.config: TeachConfig = config
        self.taught = Taught()
        self.identities = {prompt.aspect: prompt.identity for prompt in prompts}
        if len(self.identities) < len(prompts):
            raise InputError("teach: two prompts for one aspect")
        self.earlier = self._read() if output.exists() else {}
        self.done = {name: record for name, record in self.earlier.items() if not record.get("failed")}
        self.open: dict[str, dict[str, Any]] = {}

    def learn(self, lesson: _Lesson) -> _Outcome:
        """Ask, check, ask again. Runs in many threads."""
        shown, _ = show_document(lesson.document.text, self.config.letters)
        fault: str | None = None
        for attempt in range(self.config.retries + 1):
            try:
                answer = self.model.ask(lesson.prompt.request(shown, attempt, fault))
            except EndpointError as error:
                if error.status in ONE_DOCUMENT:
                    return _Outcome(None, f"the server refused it: {error}")
                if error.too_large:
                    return _Outcome(None, f"the answer is too large: {error}")
                return _Outcome(None, f"the server failed: {error}", error)
            text, fault = check(answer, lesson.document.text, lesson.prompt)
            if fault is None:
                return _Outcome(text, None)
        return _Outcome(None, fault)

    def record(self, lesson: _Lesson, outcome: _Outcome) -> None:
        """Keep one outcome; a document is done when all its aspects are."""
        document, aspect = lesson.document, lesson.prompt.aspect
        entry = self.open.setdefault(document.id, {"_id": document.id, "failed": {}})
        if outcome.text is not None:
            entry[aspect] = outcome.text
        else:
            entry["failed"][aspect] = outcome.fault
            self.taught.failed[str(outcome.fault).split(";")[0].split(":")[0]] += 1
        if len(entry) - 2 + len(entry["failed"]) == len(self.prompts):
            self.done[document.id] = self._finish(document, self.open.pop(document.id))

    def write(self) -> None:
        """Write the documents that are done, in the corpus's order, in one step.

        One that was to be tried again, and was not yet, keeps what the earlier run had of it.
        """
        known = self.earlier | self.done
        present = [known[document.id] for document in self.documents if document.id in known]
        self.taught.documents = len(present)
        self.taught.cut = sum("cut" in entry for entry in present)
        self.taught.texts = sum(aspect in entry for entry in present for aspect in self.identities)
        if present:
            with replacing(self.output) as file:
                for entry in present:
                    file.write(json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def _finish(self, document: Document, entry: dict[str, Any]) -> dict[str, Any]:
        _, cut = show_document(document.text, self.config.letters)
        texts = {aspect: entry[aspect] for aspect in self.identities if aspect in entry}
        return {
            "_id": document.id,
            **texts,
            **({"failed": entry["failed"]} if entry["failed"] else {}),
            **({"cut": cut} if cut else {}),
            "text_sha256": text_sha256(document.text),
            "teacher": self.model.name,
            "prompts": self.identities,
        }

    def _read(self) -> dict[str, dict[str, Any]]:
        """Documents that an earlier run of the same teacher has done already; some lack texts that failed."""
        texts = {document.id: text_sha256(document.text) for document in self.documents}
        done = {}
        for line in read_json_lines(self.output):
            if isinstance(line, BadLine):
                raise InputError(f"{self.output} exists already and is not a file of texts; choose another output")
            record = line.record
            if (record.get("teacher"), record.get("prompts")) != (self.model.name, self.identities):
                raise InputError(
                    f"{self.output} exists already, made by another teacher or other prompts; choose another output"
                )
            identifier = record.get("_id")
            if identifier not in texts:
                raise InputError(
                    f"{self.output}: its document {identifier!r} is not in this corpus; choose another output"
                )
            if record.get("text_sha256") == texts[identifier]:
                done[str(identifier)] = record
        return done


def _note(model: CachedChat, taught: Taught) -> str:
    ledger = model.ledger
    cost = f", cost {ledger.cost:.2f}" if ledger.cost else ""
    return f"{ledger.usage.total:,} tokens{cost}, {taught.failed.total()} failed"
