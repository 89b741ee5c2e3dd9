"""Any OpenAI-compatible embeddings endpoint: POST {base_url}/embeddings."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np

from ..arrays import Float32, as_vectors, l2norm
from ..errors import EndpointError, InputError
from ..identity import EncoderIdentity, Role
from ..remote import LARGEST, Remote, said_wrong
from .base import BaseEncoder

BYTES_OF_A_VECTOR: Final = 1 << 18  # largest size of a vector as JSON, in bytes: 10,000 numbers of 25 characters
PROBE: Final = "dimension probe"
LARGEST_NUMBER: Final = 1.7e308  # the largest 64-bit float


class EndpointEncoder(BaseEncoder):
    """Vectors from a server. The key comes from the environment and is never stored or shown.

    Args:
        base_url: without /embeddings, e.g. http://localhost:8000/v1.
        query_prompt, document_prompt: put before each text, for models that need them.
    Raises:
        InputError: not a web address. EndpointError: the server gives no usable answer.
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

    @classmethod
    def parse(cls, text: str) -> EndpointEncoder:
        """The encoder of URL#MODEL."""
        url, _, model = text.partition("#")
        return cls(url, model)

    @cached_property
    def probe(self) -> Float32:
        """The server's vector of one fixed text, [m], which stands in for its weights."""
        return np.asarray(l2norm(self._request([PROBE]))[0], np.float32)

    @cached_property
    def identity(self) -> EncoderIdentity:
        """Name and dimension, from one request to the server. Its weights cannot be seen."""
        return EncoderIdentity(
            name=f"{self.base_url}#{self.model}",
            dimension=len(self.probe),
            query_prompt=self.query_prompt,
            document_prompt=self.document_prompt,
        )

    def _encode(self, texts: list[str], role: Role) -> Float32:
        prompt = self.query_prompt if role == "query" else self.document_prompt
        texts = [prompt + text for text in texts]
        batches = [texts[i : i + self.batch_size] for i in range(0, len(texts), self.batch_size)]
        vectors = [self._request(batch) for batch in batches]
        for one in vectors:
            if one.shape[1] != vectors[0].shape[1]:
                sizes = f"{vectors[0].shape[1]} numbers, then {one.shape[1]}"
                raise EndpointError(f"{self.base_url}: its embeddings have {sizes}")
        return np.concatenate(vectors)

    def _request(self, texts: list[str]) -> Float32:
        body = {"model": self.model, "input": texts, "encoding_format": "float"}
        answer = self.remote.post("embeddings", body, max(LARGEST, BYTES_OF_A_VECTOR * len(texts)))
        rows = answer.get("data")
        if not isinstance(rows, list):
            reason = said_wrong(answer) or "its field 'data' is not a list"
            raise EndpointError(f"{self.base_url}: the answer has no embeddings ({reason})")
        if len(rows) != len(texts):
            raise EndpointError(f"{self.base_url}: {len(rows)} embeddings for {len(texts)} texts")
        placed: dict[int, Any] = {}
        for row in rows:
            if not isinstance(row, dict) or not isinstance(row.get("index"), int) or "embedding" not in row:
                raise EndpointError(f"{self.base_url}: an embedding in the answer has no index or no numbers")
            placed[row["index"]] = row["embedding"]
        if sorted(placed) != list(range(len(texts))):
            raise EndpointError(f"{self.base_url}: the indexes of its embeddings are not 0 to {len(texts) - 1}")
        vectors = [placed[i] for i in range(len(texts))]
        size = len(vectors[0]) if isinstance(vectors[0], list) else 0
        wrong = next((i for i, vector in enumerate(vectors) if not _numbers(vector, size)), None)
        if wrong is not None:
            raise EndpointError(
                f"{self.base_url}: embedding {wrong} is not a list of finite numbers as long as the others"
            )
        return as_vectors(vectors, name=f"answer of {self.base_url}")


def _numbers(vector: Any, size: int) -> bool:
    """Whether `vector` is a list of `size` numbers; NaN and Infinity have been read as None."""
    return isinstance(vector, list) and len(vector) == size and all(_number(x) for x in vector)


def _number(x: Any) -> bool:
    return type(x) in (int, float) and abs(x) < LARGEST_NUMBER
