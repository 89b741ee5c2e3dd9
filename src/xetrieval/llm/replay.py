"""A model with prepared answers, for tests and for running without a server.

A replay file has one JSON object per line: {"contains": TEXT, "answer": TEXT}. A request is answered by the first line
whose text is in its last message; a line without "contains" answers any request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import EndpointError
from ..files import digest_of
from .base import Answer, Request, Usage
from .budget import about

Script = Callable[[Request], str | None]


class ReplayChat:
    """Answers from a function of the request, or from a file; records all requests.

    Raises:
        InputError: no such file, or a line that is not an answer.
    """

    def __init__(self, script: Script, name: str = "replay") -> None:
        self.name, self._script, self._lock = name, script, threading.Lock()
        self.requests: list[Request] = []

    @classmethod
    def from_file(cls, path: Path) -> ReplayChat:
        """The answers of a replay file."""
        from ..data import BadLine, read_json_lines

        lines: list[tuple[str, str]] = []
        for line in read_json_lines(path):
            if isinstance(line, BadLine):
                raise line
            contains, answer = line.text("contains", required=False), line.record.get("answer")
            if not isinstance(answer, str):
                raise line.bad("field 'answer' is missing or not text")
            lines.append((contains, answer))

        def script(request: Request) -> str | None:
            content = request.messages[-1].content
            return next((answer for contains, answer in lines if contains in content), None)

        return cls(script, f"replay:{path.name}:{digest_of(lines)[:12]}")

    def ask(self, request: Request) -> Answer:
        """The prepared answer."""
        with self._lock:
            self.requests.append(request)
        text = self._script(request)
        if text is None:
            raise EndpointError(f"{self.name}: no answer for {request.messages[-1].content[-60:]!r}", refused=True)
        return Answer(text, Usage(about(request).prompt, len(text) // 4 + 1))
