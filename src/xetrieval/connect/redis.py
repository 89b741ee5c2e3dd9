"""Redis 8 vector sets: redis://HOST:PORT#KEY.

A vector set has no texts; an attribute `text` of its elements is used. By default Redis stores 8-bit numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from ..arrays import Float32
from ..errors import InputError
from ..extras import require
from ..index.build.stores import Record
from .hits import StoreHit
from .store import PAGE, Store, hit_of, place_of, record_of_document


class RedisVectors(Store):
    """A Redis vector set, through a client that does not decode responses."""

    metric = "shifted cosine"

    def __init__(self, client: Any, key: str) -> None:
        self.client, self.key = client, key
        facts = _pairs(client.execute_command("VINFO", key))
        if not facts:
            raise InputError(f"{self.name}: there is no vector set of that name")
        self.count = int(facts[b"size"])
        self.quantised = _text(facts[b"quant-type"]) != "f32"

    @property
    def name(self) -> str:
        return f"redis:{self.key}"

    def records(self) -> Iterator[Record]:
        """Elements by name."""
        members = iter(sorted(_text(name) for name in self.client.execute_command("VRANDMEMBER", self.key, self.count)))
        while page := list(islice(members, PAGE)):
            yield from map(self._record, page)

    def nearest(self, vector: Float32, k: int) -> list[StoreHit]:
        """The k nearest elements."""
        blob = vector.astype("<f4").tobytes()
        found = self.client.execute_command("VSIM", self.key, "FP32", blob, "WITHSCORES", "COUNT", k)
        return [hit_of(self._record(_text(name)), float(score)) for name, score in _pairs(found).items()]

    def _record(self, name: str) -> Record:
        vector = [float(number) for number in self.client.execute_command("VEMB", self.key, name)]
        attributes = self.client.execute_command("VGETATTR", self.key, name)
        known = json.loads(attributes) if attributes else {}
        return record_of_document(name, np.asarray(vector), str(known.pop("text", "")), metadata=known)

    @classmethod
    def of_url(cls, url: str) -> RedisVectors:
        """The vector set that a URL names.

        Raises:
            InputError: there is no such set. MissingExtra: without redis.
        """
        place, key, _ = place_of(url, "redis://localhost:6379#documents", ())
        module = require("redis", "redis")
        try:
            return cls(module.Redis.from_url(f"redis://{place}"), key)
        except module.RedisError as error:
            raise InputError(f"redis:{key}: {error}") from error


def _pairs(answer: Any) -> dict[bytes, Any]:
    """Names and values, which the client returns as a dictionary or as a list."""
    if not answer:
        return {}
    return answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


STORE = RedisVectors
