"""The reasoning internalizer R_t at inference (paper, section 2), and a residual form of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Float32, l2norm
from ..configs.internalizer import FORMS, Form
from ..errors import InputError, MismatchError
from ..identity import internalizer_digest


@dataclass(frozen=True, eq=False)
class Internalizer:
    """One aspect's network.

    paper:    R(z) = l2norm(W2 tanh(W1 z + b1) + b2)
    residual: R(z) = l2norm(z + W2 tanh(W1 z + b1) + b2), the identity where W2 = 0 and b2 = 0
    """

    w1: Float32  # [h, m]
    b1: Float32  # [h]
    w2: Float32  # [m, h]
    b2: Float32  # [m]
    form: Form = "residual"

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise InputError(f"internalizer form {self.form!r} is unknown; choose one of {', '.join(FORMS)}")
        h, m = self.w1.shape
        shapes = (self.b1.shape, self.w2.shape, self.b2.shape)
        if shapes != ((h,), (m, h), (m,)):
            raise MismatchError(f"internalizer: shapes {shapes} do not fit w1 {[h, m]}")

    def __repr__(self) -> str:
        return f"Internalizer({self.form}, {self.dimension} dimensions, {self.w1.shape[0]} hidden)"

    @property
    def dimension(self) -> int:
        """m, the dimension of the vectors."""
        return int(self.w1.shape[1])

    @property
    def digest(self) -> str:
        """A hash of what it computes; see `identity`."""
        return internalizer_digest(self.form, self.w1, self.b1, self.w2, self.b2)

    def __call__(self, z: Float32) -> Float32:
        """R(z) for the rows of `z` [n, m], unit norm."""
        out = np.tanh(z @ self.w1.T + self.b1) @ self.w2.T + self.b2
        if self.form == "residual":
            out += z
        return np.asarray(l2norm(out), dtype=np.float32)
