"""A GGUF file served on this machine by llama.cpp (xllamacpp), used over HTTP like any other server."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from ..errors import DamagedError, InputError
from ..extras import processors, require
from ..files import path_of, sha256_of_file
from .base import Answer, Request
from .client import OpenAIChat

CONTEXT = 4096  # tokens of prompt and answer together


class LocalChat:
    """A local model. It loads at the first request and answers one at a time, which is no slower on CPUs.

    Its name is the file's name and hash, so cached answers stay valid if the file moves.

    Raises:
        InputError: no such file. DamagedError: not a GGUF file. MissingExtra: xllamacpp is not installed.
    """

    def __init__(self, path: Path, timeout: float = 600.0) -> None:
        path = path_of(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise DamagedError(f"{path}: not a GGUF file")
        self.path, self.timeout = path, timeout
        self.name = f"gguf:{path.name}:{sha256_of_file(path)[:12]}"
        self._server: Any = None
        self._lock = threading.Lock()
        self._client: OpenAIChat | None = None

    def ask(self, request: Request) -> Answer:
        """The model's answer."""
        with self._lock:  # one request at a time; others wait here instead of timing out
            if self._client is None:
                self._client = self._start()
            return self._client.ask(request)

    def _start(self) -> OpenAIChat:
        llama = require("xllamacpp", "local")
        parameters = llama.CommonParams()
        parameters.model.path = str(self.path)
        parameters.n_ctx, parameters.n_parallel = CONTEXT, 1
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = processors()
        parameters.warmup, parameters.verbosity = False, -1
        parameters.hostnames, parameters.port = ["127.0.0.1"], 0
        try:
            self._server = llama.Server(parameters)
        except RuntimeError as error:
            raise DamagedError(f"{self.path}: llama.cpp does not load it ({error})") from error
        return OpenAIChat(f"{self._server.listening_address}/v1", self.path.stem, self.timeout, name=self.name)
