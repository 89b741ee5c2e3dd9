"""An encoder used without its query prompt, as often happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from xetrieval.encoders import Encoder


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
