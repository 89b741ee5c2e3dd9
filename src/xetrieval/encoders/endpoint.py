"""Any OpenAI-compatible embeddings endpoint: POST {base_url}/embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ..arrays import Float32, as_vectors
from ..errors import EndpointError, InputError
from ..remote import Remote
from .base import EncoderIdentity


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
        if not model:
            raise InputError(f"endpoint {base_url!r}: give it as http(s)://HOST/v1#MODEL")
        self.base_url, self.model = base_url.rstrip("/"), model
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        self.batch_size, self.remote = batch_size, Remote(self.base_url, timeout, attempts)

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
        answer = self.remote.post("embeddings", {"model": self.model, "input": texts, "encoding_format": "float"})
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            vectors = as_vectors([row["embedding"] for row in rows], name=f"answer of {self.base_url}")
        except (KeyError, TypeError, ValueError) as error:
            raise EndpointError(f"{self.base_url}: the answer is not a list of embeddings ({error})") from error
        if len(vectors) != len(texts):
            raise EndpointError(f"{self.base_url}: {len(vectors)} embeddings for {len(texts)} texts")
        return vectors
