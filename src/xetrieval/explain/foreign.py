"""Checks that vectors come from the explainer's encoder: vectors of other models may have the same dimension.

A dictionary reconstructs vectors like those it was trained on, and hardly any others. The mean cosine of the first
thousand with their reconstructions is compared with two figures: the model card's, for held-out documents of the
encoder (a real corpus comes close to it), and that of random directions (vectors of other models score about the same,
however good the models are):

    limit = random + 0.4 (card - random) - 0.1 / sqrt(rows)

paper/studies/foreign_vectors.py measured both. A model fine-tuned from the encoder falls between them and goes
undetected: if there are texts, encoding a few of them is a better test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..arrays import Float32, l2norm
from ..sae import SparseAutoencoder
from ..sae.measure import reconstruction

if TYPE_CHECKING:
    from .explainer import Explainer

ROWS: Final = 1000
RANDOM_ROWS: Final = 256
FRACTION, SPREAD = 0.4, 0.1
_RANDOM_COSINES: Final[dict[tuple[str, int | None], float]] = {}
LEAST_GAP: Final = 0.15  # smallest gap between card and random; below it, reconstruction cannot tell models apart


class Likeness(NamedTuple):
    """How well vectors are reconstructed, compared with the encoder's own and with random ones."""

    rows: int
    cosine: float
    fvu: float
    card: float
    random: float

    @property
    def limit(self) -> float:
        """The cosine below which they are assumed to be a different model's."""
        return self.random + FRACTION * (self.card - self.random) - SPREAD / float(np.sqrt(self.rows))

    @property
    def foreign(self) -> bool:
        """Whether they are probably not vectors of the encoder."""
        return not self.cosine >= self.limit


def likeness(explainer: Explainer, x: Float32) -> Likeness | None:
    """Judge the first thousand unit rows of `x` [n, m]. None if it cannot tell: no rows, or no figures on the card."""
    figures = explainer.metrics.get("original")
    card = figures.get("cosine") if isinstance(figures, dict) else None
    if not len(x) or not isinstance(card, int | float):
        return None
    random = random_cosine(explainer.sae)
    if not card - random >= LEAST_GAP:
        return None
    found = reconstruction(explainer.sae, x[:ROWS])
    return Likeness(min(ROWS, len(x)), found.cosine, found.fvu, float(card), random)


def random_cosine(sae: SparseAutoencoder) -> float:
    """The mean cosine of random unit rows with their reconstruction, computed once for each autoencoder."""
    key = (sae.digest, sae.k)
    if key not in _RANDOM_COSINES:
        rows = np.random.default_rng(0).standard_normal((RANDOM_ROWS, sae.dimension))
        _RANDOM_COSINES[key] = reconstruction(sae, np.asarray(l2norm(rows), np.float32)).cosine
    return _RANDOM_COSINES[key]


def unlike(explainer: Explainer, x: Float32, what: str = "these vectors") -> str | None:
    """A sentence if unit rows `x` [n, m] are probably not from the explainer's encoder; else None."""
    found = likeness(explainer, x)
    if found is None or not found.foreign:
        return None
    own, rows = explainer.encoder_identity.name, "it" if found.rows == 1 else f"the first {found.rows:,}"
    return (
        f"{what}: probably not from {own}, the encoder that explainer {explainer.name} was made for; it "
        f"reconstructs {rows} with a cosine of {found.cosine:.2f} (its encoder's own: {found.card:.2f}, random ones: "
        f"{found.random:.2f}). Explanations of a different model's vectors are meaningless"
    )
