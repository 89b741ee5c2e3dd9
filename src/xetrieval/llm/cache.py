"""Stores answers on disk, so that none is paid for twice.

One SQLite file. The key of an answer is a hash of model, messages, limits, schema, prompt version and attempt. Every
answer is stored in its own transaction before it is used, so a killed run loses none.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import EndpointError
from ..files import cache_folder, database, digest_of
from .base import Answer, ChatModel, Request, Usage
from .budget import Ledger, about, at_most

LOST = (0, 200)  # there was no status, or an unreadable answer
SCHEMA = """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, request TEXT NOT NULL, text TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, finish TEXT NOT NULL,
    answered TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) WITHOUT ROWID"""


class Estimate(NamedTuple):
    """Requests to send, with likely and maximum tokens and cost. Answers in the cache cost nothing."""

    requests: int
    at_hand: int
    likely: Usage
    most: Usage
    likely_cost: float
    most_cost: float


class CachedChat:
    """A model whose answers are stored in a file and whose use is limited by a budget.

    Args:
        path: the file; by default llm.sqlite in the user's cache folder.
        ledger: counts what is used and enforces the budget; by default one without a budget.
    """

    def __init__(self, model: ChatModel, path: Path | None = None, ledger: Ledger | None = None) -> None:
        self.model, self.path, self.ledger = model, path or cache_folder() / "llm.sqlite", ledger or Ledger()
        self.name = model.name
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def ask(self, request: Request) -> Answer:
        """The answer from the file, or else from the model.

        Raises:
            BudgetSpent: it is not in the file, and the request could cost too much.
        """
        key = self.key(request)
        with self._alone(key):
            known = self.known(request)
            if known is not None:
                self.ledger.free()
                return known
            reserved, answer = self.ledger.reserve(request), None
            try:
                answer = self.model.ask(request)
                self._keep(key, request, answer)
            except EndpointError as error:
                if error.status in LOST:  # the server may still have answered and charged
                    answer = Answer("", reserved)
                raise
            finally:
                self.ledger.settle(reserved, answer)
            return answer

    def key(self, request: Request) -> str:
        """The hash that an answer is stored under."""
        return digest_of({"model": self.name, **request.to_dict()})

    def known(self, request: Request) -> Answer | None:
        """The stored answer, or None."""
        with self._open() as db:
            row = db.execute(
                "SELECT text, prompt_tokens, completion_tokens, finish FROM answers WHERE key = ?",
                (self.key(request),),
            ).fetchone()
        return None if row is None else Answer(row[0], Usage(row[1], row[2]), row[3], cached=True)

    def estimate(self, requests: Iterable[Request]) -> Estimate:
        """What a run would cost, without retries after unusable answers. Sends nothing."""
        sent = at_hand = 0
        likely, most, budget = Usage(), Usage(), self.ledger.budget
        for request in requests:
            if self.known(request) is not None:
                at_hand += 1
                continue
            sent, likely, most = sent + 1, likely.plus(about(request)), most.plus(at_most(request))
        return Estimate(sent, at_hand, likely, most, budget.cost(likely), budget.cost(most))

    def _keep(self, key: str, request: Request, answer: Answer) -> None:
        text = answer.text.encode("utf-8", "replace").decode()  # lone surrogates cannot be stored
        content = json.dumps(request.to_dict(), sort_keys=True)
        with self._open() as db, db:
            db.execute(
                "INSERT OR REPLACE INTO answers (key, model, request, text, prompt_tokens, completion_tokens, finish) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, self.name, content, text, *answer.usage, answer.finish),
            )

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Let two threads with the same request send it only once."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield
        with self._guard:
            self._locks.pop(key, None)

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        return database(self.path, SCHEMA, "the cache of answers")
