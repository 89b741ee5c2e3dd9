"""A language model writes one text per document and aspect. Runs resume and never pay for a text twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..configs import TeachConfig
from ..configs.teach import CUT_SEARCH
from ..data import BadLine, Document, read_json_lines
from ..errors import BudgetSpent, EndpointError, InputError
from ..files import check_writable, replacing, writing
from ..llm import CachedChat, Prompt, Request, ask, in_parallel
from ..progress import Progress, silent
from .checks import check
from .existing import text_sha256

SERVER_FAILURES = 3  # after this many failures in a row, the server is considered down
ONE_DOCUMENT = (400, 413, 422)  # statuses caused by the request, not the server


@dataclass
class TeachResult:
    """What the output contains after a run."""

    documents: int = 0  # documents for which every aspect was attempted
    texts: int = 0
    cut: int = 0  # documents whose end was cut off for the model
    failed: Counter[str] = field(default_factory=Counter)  # fault -> number of texts given up
    stopped: str | None = None  # why the run ended early


class _Outcome(NamedTuple):
    text: str | None
    fault: str | None
    server: EndpointError | None = None


def show_document(text: str, characters: int) -> tuple[str, int]:
    """The part of a document that the model reads, and how many characters were cut off."""
    if len(text) <= characters:
        return text, 0
    end = text.rfind(" ", characters - CUT_SEARCH, characters)
    head = text[: end if end > 0 else characters]
    cut = len(text) - len(head)
    return f"{head}\n[{cut:,} more letters of this document are not shown]", cut  # part of the cache key


def requests(documents: Sequence[Document], prompts: Sequence[Prompt], config: TeachConfig) -> Iterator[Request]:
    """The first request for every document and prompt."""
    for document in documents:
        text, _ = show_document(document.text, config.characters)
        for prompt in prompts:
            yield prompt.request(document=text)


def teach(
    documents: Sequence[Document],
    prompts: Sequence[Prompt],
    model: CachedChat,
    output: Path,
    config: TeachConfig | None = None,
    progress: Progress = silent,
) -> TeachResult:
    """Write one line per document to `output`: {"_id", ASPECT: text, ..., "text_sha256", "teacher", "prompts"}.

    An unusable answer is requested again, and finally recorded under "failed" with its fault. When the budget is spent
    or an error occurs, the finished documents are written, and the same call then resumes.

    Raises:
        InputError: `output` exists and was written by a different teacher or with different prompts, or is a different
        kind of file.
        EndpointError: no server, a wrong key, an unknown model, or a server that stays down.
    """
    config = config or TeachConfig()
    if not documents:
        raise InputError("teach: no documents")
    check_writable(output.parent)
    with writing(output):
        return _teach(_Run(documents, prompts, model, output, config), progress)


def _teach(run: _Run, progress: Progress) -> TeachResult:
    documents, prompts, model = run.documents, run.prompts, run.model
    todo = [(document, prompt) for document in documents if document.id not in run.done for prompt in prompts]
    total, finished = len(documents) * len(prompts), len(run.done) * len(prompts)
    failures, answered = 0, False
    progress("teach", finished, total, _note(model, run.taught))
    try:
        for lesson, outcome in in_parallel(run.learn, todo, run.config.concurrency):
            finished += 1
            run.record(lesson, outcome)
            answered = answered or outcome.server is None
            failures = failures + 1 if outcome.server is not None else 0
            if outcome.server is not None and (not answered or failures >= SERVER_FAILURES):
                raise outcome.server
            progress("teach", finished, total, _note(model, run.taught))
    except BudgetSpent as spent:
        run.taught.stopped = str(spent)
    finally:
        run.write()
    return run.taught


class _Run:
    """The records of one run, by document."""

    def __init__(
        self,
        documents: Sequence[Document],
        prompts: Sequence[Prompt],
        model: CachedChat,
        output: Path,
        config: TeachConfig,
    ) -> None:
        self.documents, self.prompts, self.model, self.output = documents, prompts, model, output
        self.config, self.taught = config, TeachResult()
        self.identities = {prompt.name: prompt.identity for prompt in prompts}
        if len(self.identities) < len(prompts):
            raise InputError("teach: two prompts for one aspect")
        self.earlier = self._read() if output.exists() else {}
        self.done = {name: record for name, record in self.earlier.items() if not record.get("failed")}
        self.outcomes: dict[tuple[str, str], _Outcome] = {}  # by document id and aspect

    def learn(self, lesson: tuple[Document, Prompt]) -> _Outcome:
        """Ask for one text. Called from many threads."""
        document, prompt = lesson
        text, _ = show_document(document.text, self.config.characters)
        check_text = partial(check, document=document.text, prompt=prompt)
        try:
            return _Outcome(*ask(self.model, prompt, check_text, self.config.retries, document=text))
        except EndpointError as error:
            if error.status in ONE_DOCUMENT:
                return _Outcome(None, f"the server refused it: {error}")
            if error.too_large:
                return _Outcome(None, f"the answer is too large: {error}")
            return _Outcome(None, f"the server failed: {error}", error)

    def record(self, lesson: tuple[Document, Prompt], outcome: _Outcome) -> None:
        """Keep one outcome."""
        document, prompt = lesson
        self.outcomes[document.id, prompt.name] = outcome
        if outcome.text is None:
            self.taught.failed[str(outcome.fault).split(";")[0].split(":")[0]] += 1

    def write(self) -> None:
        """Write the finished documents in one step, in corpus order.

        A document that lacks an outcome for an aspect keeps its record from the earlier run.
        """
        entries = [entry for document in self.documents if (entry := self._entry(document)) is not None]
        self.taught.documents = len(entries)
        self.taught.cut = sum("cut" in entry for entry in entries)
        self.taught.texts = sum(aspect in entry for entry in entries for aspect in self.identities)
        if entries:
            with replacing(self.output) as file:
                for entry in entries:
                    file.write(json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def _entry(self, document: Document) -> dict[str, Any] | None:
        """The line of a document."""
        outcomes = {aspect: self.outcomes.get((document.id, aspect)) for aspect in self.identities}
        if None in outcomes.values():
            return self.earlier.get(document.id)
        _, cut = show_document(document.text, self.config.characters)
        failed = {aspect: outcome.fault for aspect, outcome in outcomes.items() if outcome and outcome.text is None}
        return {
            "_id": document.id,
            **{aspect: outcome.text for aspect, outcome in outcomes.items() if outcome and outcome.text is not None},
            **({"failed": failed} if failed else {}),
            **({"cut": cut} if cut else {}),
            "text_sha256": text_sha256(document.text),
            "teacher": self.model.name,
            "prompts": self.identities,
        }

    def _read(self) -> dict[str, dict[str, Any]]:
        """The records of an earlier run of the same teacher; some lack texts that failed."""
        texts = {document.id: text_sha256(document.text) for document in self.documents}
        done = {}
        for line in read_json_lines(self.output):
            if isinstance(line, BadLine):
                raise InputError(f"{self.output} exists and is not a file of teacher texts; choose another output")
            record = line.record
            if (record.get("teacher"), record.get("prompts")) != (self.model.name, self.identities):
                raise InputError(
                    f"{self.output} exists, with texts by a different teacher or prompts; choose another output"
                )
            identifier = record.get("_id")
            if identifier not in texts:
                raise InputError(f"{self.output}: document {identifier!r} is not in this corpus; choose another output")
            if record.get("text_sha256") == texts[identifier]:
                done[str(identifier)] = record
        return done


def _note(model: CachedChat, taught: TeachResult) -> str:
    ledger = model.ledger
    cost = f", cost {ledger.cost:.2f}" if ledger.cost else ""
    return f"{ledger.usage.total:,} tokens{cost}, {taught.failed.total()} failed"
