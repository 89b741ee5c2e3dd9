"""Any OpenAI-compatible embeddings endpoint: POST {base_url}/embeddings."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from ..arrays import Float32, as_vectors
from ..errors import EndpointError, InputError
from ..extras import require
from .base import EncoderIdentity

KEY_VARIABLES: Final = ("XETRIEVAL_API_KEY", "OPENAI_API_KEY")
RETRIED: Final = {408, 429, 500, 502, 503, 504}


class EndpointEncoder:
    """Vectors from a server. The key comes from the environment and is never stored or shown.

    Args:
        base_url: up to and without /embeddings, e.g. http://localhost:8000/v1.
        query_prompt, document_prompt: put before every text, for models that want them.
    Raises:
        InputError: not a web address. EndpointError: the server does not answer usefully.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        query_prompt: str = "",
        document_prompt: str = "",
        batch_size: int = 64,
        timeout: float = 60.0,
        attempts: int = 4,
    ) -> None:
        if not base_url.startswith(("http://", "https://")) or not model:
            raise InputError(f"endpoint {base_url!r}: give it as http(s)://HOST/v1#MODEL")
        self.base_url, self.model = base_url.rstrip("/"), model
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        self.batch_size, self.timeout, self.attempts = batch_size, timeout, attempts

    @cached_property
    def identity(self) -> EncoderIdentity:
        """Name and dimension; asks the server once. The weights behind it cannot be seen."""
        return EncoderIdentity(
            name=f"{self.base_url}#{self.model}",
            dimension=self._request(["dimension probe"]).shape[1],
            query_prompt=self.query_prompt,
            document_prompt=self.document_prompt,
        )

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m]."""
        return self._encode([self.query_prompt + text for text in texts])

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m]."""
        return self._encode([self.document_prompt + text for text in texts])

    def _encode(self, texts: list[str]) -> Float32:
        batches = [texts[i : i + self.batch_size] for i in range(0, len(texts), self.batch_size)]
        return np.concatenate([self._request(batch) for batch in batches])

    def _request(self, texts: list[str]) -> Float32:
        answer = self._post({"model": self.model, "input": texts, "encoding_format": "float"})
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            vectors = as_vectors([row["embedding"] for row in rows], name=f"answer of {self.base_url}")
        except (KeyError, TypeError, InputError) as error:
            raise EndpointError(f"{self.base_url}: the answer is not a list of embeddings ({error})") from error
        if len(vectors) != len(texts):
            raise EndpointError(f"{self.base_url}: {len(vectors)} embeddings for {len(texts)} texts")
        return vectors

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        httpx = require("httpx2", "encoders")
        key = next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        problem = "no answer"
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(min(0.5 * 2 ** (attempt - 1), 8.0))
            try:
                response = httpx.post(f"{self.base_url}/embeddings", json=body, headers=headers, timeout=self.timeout)
            except httpx.HTTPError as error:
                problem = type(error).__name__
                continue
            if response.status_code == 200:
                try:
                    answer: dict[str, Any] = response.json()
                except ValueError:
                    problem = "an answer that is no JSON"
                    continue
                return answer
            problem = f"HTTP {response.status_code}"
            if response.status_code in (401, 403):
                problem += f"; set the key in {' or '.join(KEY_VARIABLES)}"
            if response.status_code not in RETRIED:
                break
        raise EndpointError(f"{self.base_url}, model {self.model}: {problem}")
