"""Any server with OpenAI's chat completions API: POST {base_url}/chat/completions."""

from __future__ import annotations

import math
from typing import Any, Final

from ..errors import EndpointError, InputError
from ..remote import Remote, said_wrong
from .base import Answer, Request, Usage

MOST_TOKENS: Final = 1 << 24  # a larger token count of one answer is ignored


class OpenAIChat:
    """A model behind a server. The API key comes only from the environment (XETRIEVAL_API_KEY, OPENAI_API_KEY).

    A request with a schema is sent with `response_format`, and again without it if the server does not support that.

    Args:
        base_url: without /chat/completions, e.g. http://localhost:8000/v1.
        name: part of the cache key; by default the address and the model. Give one if the port changes.
    Raises:
        InputError: not a web address, or no model name.
    """

    def __init__(
        self, base_url: str, model: str, timeout: float = 120.0, attempts: int = 5, name: str | None = None
    ) -> None:
        if not model:
            raise InputError(f"language model {base_url!r}: give it as http(s)://HOST/v1#MODEL")
        self.remote = Remote(base_url.rstrip("/"), timeout, attempts)
        self.model, self._offers_schema = model, True
        self.name = name or f"{self.remote.base_url}#{model}"

    def ask(self, request: Request) -> Answer:
        """The server's answer."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message._asdict() for message in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        if request.schema is None or not self._offers_schema:
            return self._read(self._post(body))
        schema = {"name": "answer", "schema": dict(request.schema), "strict": True}
        try:
            return self._read(self._post({**body, "response_format": {"type": "json_schema", "json_schema": schema}}))
        except EndpointError as error:
            if error.status not in (400, 422):
                raise
        answer = self._read(self._post(body))
        self._offers_schema = False  # it worked without the schema
        return answer

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.remote.post("chat/completions", body)
        except EndpointError as error:
            error.args = (f"{error}; requested model {self.model}",)
            raise

    def _read(self, answer: dict[str, Any]) -> Answer:
        try:
            choice = answer["choices"][0]
            text = choice["message"].get("content") or ""
            finish = str(choice.get("finish_reason") or "stop")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            reason = said_wrong(answer) or "no choices[0].message.content"
            raise EndpointError(f"{self.remote.base_url}: the answer is not a chat completion ({reason})") from error
        if isinstance(text, list):  # some servers send a list of parts
            text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
        if not isinstance(text, str):
            raise EndpointError(f"{self.remote.base_url}: the answer's content is not text but {type(text).__name__}")
        whole, finish = (words.encode("utf-8", "replace").decode() for words in (text, finish))  # no lone surrogates
        return Answer(whole, _usage(answer.get("usage")), finish[:100])


def _usage(usage: Any) -> Usage:
    """The server's token counts; zero for a missing or absurd count (see `Ledger.settle`)."""
    counts = usage if isinstance(usage, dict) else {}
    return Usage(*(_tokens(counts.get(name)) for name in ("prompt_tokens", "completion_tokens")))


def _tokens(count: Any) -> int:
    counted = isinstance(count, int | float) and not isinstance(count, bool) and 0 < count <= MOST_TOKENS
    return math.ceil(count) if counted else 0
