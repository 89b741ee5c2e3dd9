"""Whether documents added after an index's features were trained are explained as well as the others.

The cosine of a document with its reconstruction is compared with two figures: that of held-out rows when the features
were trained, and that of random directions:

    limit = random + (held-out - random) / 2

For dictionaries of five data sets at 150 and 1,000 passages, 0 to 8 % of further documents of the same set are below
it, and 38 to 100 % of those of other sets; for english-dup (everyday questions), 5 to 97 % (docs/decisions.md).
"""

from __future__ import annotations

import shlex
from typing import Final, NamedTuple

import numpy as np

from ...arrays import l2norm
from ...explain.foreign import random_cosine
from ..store.reader import IndexReader

HALF: Final = 0.5
SAMPLE: Final = 2000  # at most this many new documents are sampled
FEWEST, FRACTION = 5, 0.15  # note if at least this many new documents, and this fraction, are poorly explained


class Drift(NamedTuple):
    """New documents, and how many of them are poorly explained."""

    added: int  # since the features were trained
    poor: int
    limit: float  # a cosine

    def note(self, index: IndexReader) -> str | None:
        """A sentence with the command to run; None if nothing needs to be done."""
        if self.poor < max(FEWEST, FRACTION * self.added):
            return None
        return (
            f"{self.poor:,} of {self.added:,} new documents are poorly explained (reconstructed with a cosine below "
            f"{self.limit:.2f}); run: xetrieval index relearn {shlex.quote(str(index.folder))}"
        )


def drift(index: IndexReader) -> Drift | None:
    """Drift of the documents added since the features were learned. None if there are none, or no earlier figures."""
    held_out = index.explainer.metrics.get("original", {}).get("cosine")
    added = min(index.added_later, len(index))
    if not added or held_out is None or not index.learned_here:
        return None
    new = index.alive[-added:]
    rows = new if added <= SAMPLE else new[np.linspace(0, added - 1, SAMPLE).astype(np.int64)]
    sae = index.explainer.sae
    made = l2norm(sae.decode(index.codes(rows, index.manifest.views[0])))
    random = random_cosine(sae)
    limit = random + HALF * (held_out - random)
    poor = int((np.einsum("nm,nm->n", made, index.vectors(rows)) < limit).sum())
    return Drift(added, round(poor * added / len(rows)), limit)
