"""Turns pre-activations into codes and back, the part of a training step that differs between variants.

Each architecture says which entries of the score matrix matter (`bounds`, or a count), what code they give
(`activate`), and how the gradient of the code reaches z and the architecture's own parameters (`backward`). Everything
is computed only at these entries, never at the zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST: Final = 1e-3  # added to f in f^p, so that its slope stays finite at 0


class Entries(NamedTuple):
    """The entries of a batch: pre-activations and the features they belong to."""

    z: Tensor  # [entries]
    columns: Tensor  # int32 [entries]
    rows: int  # n


class Sparsity(NamedTuple):
    """The penalty at this step: its coefficient lambda, and p of sum f^p."""

    coefficient: float
    power: float

    def slope(self, f: Tensor, rows: int) -> Tensor:
        """d/df of the penalty, lambda / n (f + s)^p with s = SMALLEST."""
        each = 1.0 if self.power == 1.0 else self.power * (f + SMALLEST) ** (self.power - 1.0)
        return self.coefficient / rows * each


class Rectified:
    """f = ReLU(z): relu, and also topk and batchtopk on the entries that they keep. `w` has the parameters by name."""

    def bounds(self, w: dict[str, Tensor]) -> Tensor:
        """An entry matters if its pre-activation exceeds this, [F]; unused if a count decides."""
        return w["be"].new_zeros(len(w["be"]))

    def activate(self, w: dict[str, Tensor], at: Entries) -> Tensor:
        """f of each entry, >= 0."""
        return at.z.clamp_min(0.0)

    def backward(
        self, w: dict[str, Tensor], at: Entries, pulls: Tensor, sparsity: Sparsity
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Given pulls = d error / d f of each entry, [entries], returns d loss / d <W_e,j, x_i - b> and, by name, the
        gradients of the other parameters, still to be summed by feature."""
        if sparsity.coefficient:
            pulls = pulls + sparsity.slope(at.z.clamp_min(0.0), at.rows)
        dz = pulls * (at.z > 0)
        return dz, {"be": dz}


class Gated(Rectified):
    """f = [z > 0] ReLU(e^r (z - b_e) + b_m): b_e opens the gate, r and b_m give the size. Tied through W_e.

    Its loss has a third term, || x - W ReLU(z) - b ||^2 with W and b held fixed, from which alone the gate learns to
    reconstruct; the trainer computes its pulls (`gate_pulls`).
    """

    def activate(self, w: dict[str, Tensor], at: Entries) -> Tensor:
        """The size if the gate is open, else 0."""
        return self._size(w, at)[1].clamp_min(0.0)

    def backward(
        self, w: dict[str, Tensor], at: Entries, pulls: Tensor, sparsity: Sparsity, gate_pulls: Tensor = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The size learns from the error; the gate learns from the penalty and from its own error."""
        scaled, size = self._size(w, at)
        dsize = pulls * (size > 0)
        gate = gate_pulls + sparsity.slope(at.z, at.rows)
        return gate + dsize * w["r"][at.columns].exp(), {"be": gate, "r": dsize * scaled, "bm": dsize}

    def _size(self, w: dict[str, Tensor], at: Entries) -> tuple[Tensor, Tensor]:
        scaled = w["r"].exp()[at.columns] * (at.z - w["be"][at.columns])
        return scaled, scaled + w["bm"][at.columns]


class Jumping(Rectified):
    """f = z [z > theta]; theta learns through a window of width epsilon around it.

    Straight-through gradients with K(u) = [|u| < 1/2] (Rajamanoharan et al. 2024b, section 4):
    df/dtheta = -(theta / epsilon) K((z - theta) / epsilon),  dL0/dtheta = -(1 / epsilon) K((z - theta) / epsilon).
    Both sides of the window count, so the entries reach down to theta - epsilon / 2.
    """

    def __init__(self) -> None:
        self.width = 0.0  # epsilon; set with the weights

    def bounds(self, w: dict[str, Tensor]) -> Tensor:
        """The lower end of the window."""
        return w["theta"] - self.width / 2

    def activate(self, w: dict[str, Tensor], at: Entries) -> Tensor:
        """z above theta, else 0."""
        return at.z * (at.z > w["theta"][at.columns])

    def backward(
        self, w: dict[str, Tensor], at: Entries, pulls: Tensor, sparsity: Sparsity
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """z learns above theta; theta within the window."""
        theta = w["theta"][at.columns]
        inside = (at.z - theta).abs() < self.width / 2
        dtheta = -(theta * pulls + sparsity.coefficient / at.rows) / self.width * inside
        dz = pulls * (at.z > theta)
        return dz, {"be": dz, "theta": dtheta}


def architecture(name: str) -> Rectified:
    """The architecture of that name, with the state it needs."""
    return {"gated": Gated, "jumprelu": Jumping}.get(name, Rectified)()
