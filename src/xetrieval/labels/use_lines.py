"""Uses of a feature in the form shown to a language model: pairs of texts linked by it, and by similar features.

A label is made from some uses and tried on others, which share no texts with the former.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Float32, l2norm
from ..sae import SparseAutoencoder
from .examples import one_line
from .uses import Rows, Uses, of_feature

SHOWN: Final = 8  # uses in a prompt, and the same number from similar features
TRIED: Final = 5  # unseen uses for trials, and the same number from similar features
FEWEST: Final = 4  # uses that a feature needs to be labelled
SIBLINGS: Final = 4  # features whose uses are closest in meaning
CHARACTERS: Final = 160  # the most characters shown of each text


@dataclass(frozen=True)
class FeatureUses:
    """Pairs of one feature and of its siblings; each pair is written as one line."""

    feature_id: int
    shown: tuple[str, ...]
    others: tuple[str, ...]  # pairs of siblings
    unseen: tuple[str, ...]
    unseen_others: tuple[str, ...]


def feature_uses(sae: SparseAutoencoder, vectors: Float32, texts: Sequence[str], uses: Uses) -> list[FeatureUses]:
    """The uses of each feature that has enough of them to make and try a label."""
    codes = sae.encode(vectors)
    used = np.array([len(pairs) >= FEWEST for pairs in uses.of])
    texts_of = [uses.pairs[pairs].ravel() if has else [0] for pairs, has in zip(uses.of, used, strict=True)]
    centres = l2norm(np.stack([vectors[rows].mean(axis=0) for rows in texts_of]) - vectors.mean(axis=0))
    cosine = centres @ centres.T
    cosine[:, ~used] = -2
    np.fill_diagonal(cosine, -2)

    def line(pair: int) -> str:
        return " => ".join(one_line(texts[row], CHARACTERS) for row in uses.pairs[pair].tolist())

    def without(feature: int, pairs: Rows) -> Rows:
        """Pairs that the feature does not link."""
        query, hit = (of_feature(codes, uses.pairs[pairs, side], feature) for side in (0, 1))
        return pairs[np.minimum(query, hit) <= 0]

    out = []
    for j in np.flatnonzero(used).tolist():
        shown, unseen = _apart(uses, uses.of[j], texts)
        siblings = np.argsort(-cosine[j], kind="stable")[:SIBLINGS]
        of_siblings = [_apart(uses, without(j, uses.of[s]), texts) for s in siblings if cosine[j, s] > -2]
        if not unseen or not any(other for _, other in of_siblings):
            continue
        others = [_spread(one, SHOWN // SIBLINGS) for one, _ in of_siblings]
        unseen_others = [_spread(other, 1 + TRIED // SIBLINGS) for _, other in of_siblings]
        out.append(
            FeatureUses(
                j,
                tuple(map(line, _spread(shown, SHOWN))),
                tuple(line(pair) for some in others for pair in some),
                tuple(map(line, _spread(unseen, TRIED))),
                tuple(line(pair) for some in unseen_others for pair in some)[:TRIED],
            )
        )
    return out


def _apart(uses: Uses, pairs: Rows, texts: Sequence[str]) -> tuple[list[int], list[int]]:
    """Split uses into two sides that share no text; those that would belong to both are left out."""
    sides: tuple[list[int], list[int]] = ([], [])
    side_of: dict[str, int] = {}
    for pair in pairs.tolist():
        both = [texts[row] for row in uses.pairs[pair].tolist()]
        known = {side_of[text] for text in both if text in side_of}
        if len(known) < len(sides):
            side = known.pop() if known else int(len(sides[0]) > len(sides[1]))
            sides[side].append(pair)
            side_of.update(dict.fromkeys(both, side))
    return sides


def _spread(pairs: Sequence[int], count: int) -> list[int]:
    if len(pairs) <= count:
        return list(pairs)
    return [pairs[int(i)] for i in np.linspace(0, len(pairs) - 1, count)]
