"""Any function from texts to vectors as an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Float32
from ..errors import InputError
from ..files import is_whole
from ..identity import FUNCTION, UNNAMED, EncoderIdentity, Role
from .base import BaseEncoder, as_returned

TextFunction = Callable[[Sequence[str]], ArrayLike]
NOT_KEPT = (
    "a function without a name and a version cannot be identified: its vectors are not kept on disk, and "
    'no later process can use what is fitted with it; give both: open_encoder(function, name="...", version="...")'
)


class FunctionEncoder(BaseEncoder):
    """Wrap one function, or two where queries and documents are encoded differently.

    Args:
        name, version: identify the function, as its weights cannot be seen. Change the version whenever the vectors
            change: caches and explainers cannot notice otherwise. Without both, each wrapped function is a separate
            encoder, and its vectors are not kept on disk.
    Raises:
        InputError: a name without a version or the reverse, or vectors that cannot be used.
    """

    def __init__(
        self,
        document: TextFunction,
        query: TextFunction | None = None,
        name: str | None = None,
        version: str | None = None,
    ) -> None:
        for field, value in (("name", name), ("version", version)):
            if value is not None and not (isinstance(value, str) and is_whole(value)):
                raise InputError(f"{field} of a function: {value!r:.40} is not text; give a string")
        if bool(name) != bool(version):
            raise InputError(
                "a function needs a name and a version, or neither; give both, e.g. name='mine', version='1'"
            )
        self._document, self._query = document, query or document
        self.probe = self.encode_document(["dimension probe"])[0]
        if not (dimension := len(self.probe)):
            raise InputError("the function returned empty vectors, of shape [1, 0]; give [n, m] with m >= 2")
        if dimension == 1:
            raise InputError("the function returned one number for each text; give vectors of two or more numbers")
        self.probe = self.probe / max(float(np.linalg.norm(self.probe)), 1e-30)
        known_as = f"{FUNCTION}{name}" if name else f"{UNNAMED}{uuid4().hex}"
        self.identity = EncoderIdentity(name=known_as, dimension=dimension, version=version or "")

    def _encode(self, texts: list[str], role: Role) -> Float32:
        returned = (self._query if role == "query" else self._document)(texts)
        dimension = self.identity.dimension if hasattr(self, "identity") else None
        return as_returned(returned, len(texts), dimension, "the function")
