"""The seven variants that the paper compares, and Matryoshka: each is an architecture and a penalty.

architecture    how pre-activations z = W_e (x - b) + b_e become a code
    relu        f = ReLU(z)
    topk        the k largest of each row, rectified (Gao et al. 2024)
    batchtopk   the k n largest of a batch of n rows, rectified (Bussmann et al. 2024); in use, one fixed threshold
    gated       f = [z > 0] ReLU(e^r (z - b_e) + b_m) (Rajamanoharan et al. 2024a)
    jumprelu    f = z [z > theta] (Rajamanoharan et al. 2024b)
penalty         what keeps the code sparse, in addition to the squared error
    none        nothing: the architecture does
    lp          lambda * sum f^p; p = 1, or annealed from 1 to 0.2 (Karvonen et al. 2024). Gated: on ReLU(z)
    l0          lambda * number of active features, through a straight-through window around theta

dictionary_learning 0.1.0 differs from the papers that it implements, and we follow the papers: its JumpReLU does not
subtract the decoder bias from the encoder's input and takes L0 of the gated activation, which halves the window in
which theta learns; its annealed variants resample into a copy; it calls features silent after ten million rows; and its
p ends at 0, where the gradient of f^p is unbounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ..errors import InputError

Architecture = Literal["relu", "topk", "batchtopk", "gated", "jumprelu"]
Penalty = Literal["none", "lp", "l0"]


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    architecture: Architecture
    penalty: Penalty = "none"
    last_p: float = 1.0  # p of the penalty sum f^p at the end of training; it starts at 1
    rate: float = 4.0  # factor on the learning rate that follows from F; see docs/autoencoders.md
    nested: bool = False  # Matryoshka: the first features must also reconstruct on their own


VARIANTS: Final[dict[str, Variant]] = {
    "relu": Variant("relu", "lp", rate=8.0),
    "topk": Variant("topk"),
    "batchtopk": Variant("batchtopk"),
    "gated": Variant("gated", "lp", rate=8.0),
    "jumprelu": Variant("jumprelu", "l0"),
    "p-anneal": Variant("relu", "lp", last_p=0.2, rate=8.0),
    "gated-anneal": Variant("gated", "lp", last_p=0.2, rate=8.0),
    "matryoshka": Variant("batchtopk", nested=True),
}


def variant(name: str) -> Variant:
    """The variant of that name.

    Raises:
        InputError: there is none.
    """
    if name not in VARIANTS:
        raise InputError(f"variant {name!r} is unknown; choose one of {', '.join(VARIANTS)}")
    return VARIANTS[name]
