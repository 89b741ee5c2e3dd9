"""A weak encoder: the mean of MiniLM's word vectors, no transformer above them, as static embedding models work."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from xetrieval.arrays import l2norm
from xetrieval.encoders import EncoderIdentity
from xetrieval.encoders.minilm import SHA256, packaged

LIMIT = 256  # tokens


class StaticWords:
    """Mean of the word vectors of the first 256 tokens, unit rows."""

    identity = EncoderIdentity("MiniLM word vectors", 384, f"{SHA256}: word vectors", max_tokens=LIMIT, pooling="mean")

    def encode_query(self, texts: Sequence[str]) -> Any:
        """Vectors [n, m]."""
        return self.encode_document(texts)

    def encode_document(self, texts: Sequence[str]) -> Any:
        """Vectors [n, m]."""
        out = np.zeros((len(texts), 384), np.float32)
        for start in range(0, len(texts), 256):
            block = self._tokenizer.encode_batch(list(texts[start : start + 256]), add_special_tokens=False)
            for row, encoded in enumerate(block, start):
                ids = encoded.ids[:LIMIT] or [100]  # 100 is [UNK]: a text of no known token
                out[row] = self._words[ids].mean(0)
        return l2norm(out).astype(np.float32)

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(packaged() / "tokenizer.json"))  # type: ignore[operator]
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _words(self) -> Any:
        from safetensors.numpy import load_file

        weights = load_file(str(packaged() / "model.safetensors"))  # type: ignore[operator]
        return next(v for k, v in weights.items() if k.endswith("embeddings.word_embeddings.weight"))
