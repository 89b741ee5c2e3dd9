"""From pre-activations to codes and back: what differs between the variants in one training step.

Each architecture says which entries of the score matrix matter (`bounds`, or a count), what code they give
(`activate`), and how the gradient of the code reaches z and the architecture's own parameters (`backward`). Everything
is on the pattern of those entries alone: one number an entry, none for the zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..kernels.pattern import Transposed

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 1e-3  # f^p is taken of f + this, so that its slope stays finite at 0


class Entries(NamedTuple):
    """The entries of a batch: pre-activations and the features they belong to."""

    z: Tensor  # [entries]
    columns: Tensor  # int32 [entries]
    rows: int  # n


class Pulled(NamedTuple):
    """What backward gives: the gradient that goes through W_e, and those of further parameters."""

    through: Tensor  # [entries], d loss / d <W_e,j, x_i - b>
    further: dict[str, Tensor]  # name -> [F]


class Sparsity(NamedTuple):
    """The penalty in force: coefficient lambda, and the p of sum f^p."""

    coefficient: float
    power: float


class Architecture(Protocol):
    """One way from z to f. `w` holds the parameters by name."""

    own: tuple[str, ...]  # parameters beside We, be, Wd, bd

    def bounds(self, w: dict[str, Tensor]) -> Tensor:
        """An entry matters if its pre-activation exceeds this, [F]; None where a count decides."""

    def activate(self, w: dict[str, Tensor], at: Entries) -> Tensor:
        """f of each entry, >= 0."""

    def backward(
        self, w: dict[str, Tensor], at: Entries, pulls: Tensor, sparsity: Sparsity, by_feature: Transposed, sums: Tensor
    ) -> Pulled:
        """From pulls = d error / d f of each entry."""


def power_slope(f: Tensor, power: float) -> Tensor:
    """d/df of (f + s)^p, s = SMALLEST; 1 where p = 1."""
    return 1.0 if power == 1.0 else power * (f + SMALLEST) ** (power - 1.0)


class Rectified:
    """f = ReLU(z): the relu architecture, and topk and batchtopk on the entries they keep."""

    own: tuple[str, ...] = ()

    def bounds(self, w: dict[str, Tensor]) -> Tensor:
        """Zero."""
        return w["be"].new_zeros(len(w["be"]))

    def activate(self, w: dict[str, Tensor], at: Entries) -> Tensor:
        """ReLU."""
        return at.z.clamp_min(0.0)

    def backward(
        self, w: dict[str, Tensor], at: Entries, pulls: Tensor, sparsity: Sparsity, by_feature: Transposed, sums: Tensor
    ) -> Pulled:
        """Through the entries above zero."""
        if sparsity.coefficient:
            pulls = pulls + sparsity.coefficient / at.rows * power_slope(at.z.clamp_min(0.0), sparsity.power)
        dz = pulls * (at.z > 0)
        return Pulled(dz, {"be": sums(by_feature, dz)})


class Gated:
    """f = [z > 0] ReLU(e^r (z - b_e) + b_m): b_e opens the gate, r and b_m give the size. Tied through W_e.

    Its loss has a third term, || x - W ReLU(z) - b ||^2 with W and b held fixed, which is all that teaches the gate to
    be right; the trainer hands in its pulls (`gate_pulls`).
    """

    own: tuple[str, ...] = ("r", "bm")

    def bounds(self, w: dict[str, Tensor]) -> Tensor:
        """The gate opens above zero."""
        return w["be"].new_zeros(len(w["be"]))

    def activate(self, w: dict[str, Tensor], at: Entries) -> Tensor:
        """The size, where the gate is open."""
        return self._size(w, at)[1].clamp_min(0.0)

    def backward(
        self,
        w: dict[str, Tensor],
        at: Entries,
        pulls: Tensor,
        sparsity: Sparsity,
        by_feature: Transposed,
        sums: Tensor,
        gate_pulls: Tensor = None,
    ) -> Pulled:
        """The size learns from the error, the gate from the penalty and from its own error."""
        scaled, size = self._size(w, at)
        dsize = pulls * (size > 0)
        gate = gate_pulls + sparsity.coefficient / at.rows * power_slope(at.z, sparsity.power)
        through = gate + dsize * w["r"][at.columns].exp()
        further = {"be": sums(by_feature, gate), "r": sums(by_feature, dsize * scaled), "bm": sums(by_feature, dsize)}
        return Pulled(through, further)

    def _size(self, w: dict[str, Tensor], at: Entries) -> tuple[Tensor, Tensor]:
        scaled = w["r"].exp()[at.columns] * (at.z - w["be"][at.columns])
        return scaled, scaled + w["bm"][at.columns]


class Jumping:
    """f = z [z > theta]; theta learns through a window of width epsilon around it.

    Straight-through gradients with K(u) = [|u| < 1/2] (Rajamanoharan et al. 2024b, section 4):
    df/dtheta = -(theta / epsilon) K((z - theta) / epsilon),  dL0/dtheta = -(1 / epsilon) K((z - theta) / epsilon).
    Both sides of the window count, so the entries reach down to theta - epsilon / 2.
    """

    own: tuple[str, ...] = ("theta",)

    def __init__(self) -> None:
        self.width = 0.0  # epsilon; known once the weights are

    def bounds(self, w: dict[str, Tensor]) -> Tensor:
        """The lower end of the window."""
        return w["theta"] - self.width / 2

    def activate(self, w: dict[str, Tensor], at: Entries) -> Tensor:
        """z above theta, else 0."""
        return at.z * (at.z > w["theta"][at.columns])

    def backward(
        self, w: dict[str, Tensor], at: Entries, pulls: Tensor, sparsity: Sparsity, by_feature: Transposed, sums: Tensor
    ) -> Pulled:
        """z learns above theta; theta within the window."""
        theta = w["theta"][at.columns]
        inside = (at.z - theta).abs() < self.width / 2
        dtheta = -(theta * pulls + sparsity.coefficient / at.rows) / self.width * inside
        dz = pulls * (at.z > theta)
        return Pulled(dz, {"be": sums(by_feature, dz), "theta": sums(by_feature, dtheta)})


def architecture(name: str) -> Any:
    """The architecture of that name, with whatever state it needs."""
    return {"gated": Gated, "jumprelu": Jumping}.get(name, Rectified)()
