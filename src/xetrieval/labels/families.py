"""Thousands of features as a tree that a reader can walk: families of families, named by what their labels share.

Two features are near if their directions are and if they are active on the same passages:
similarity = (max(0, cosine) + sqrt(Jaccard)) / 2, average linkage (SciPy), cut at two heights.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, l2norm
from ..errors import InputError
from ..extras import require
from ..features import Family, Feature
from .examples import FeatureExamples
from .keyphrases import candidates
from .naming import MIXED

DENSE: Final = 0.1  # of passages: a feature active on more says little
DUPLICATE_COSINE: Final = 0.9
DUPLICATE_JACCARD: Final = 0.7
WORDS: Final = 3  # in a family's name


class Grouped(NamedTuple):
    """The tree, and for each feature its lower family and its flags."""

    families: list[Family]
    family: list[int]
    flags: list[tuple[str, ...]]


def families(
    directions: Float32,
    examples: Sequence[FeatureExamples],
    features: Sequence[Feature],
    sizes: tuple[int, int] | None = None,
) -> Grouped:
    """Group features.

    Args:
        directions: [F, m]. examples: their co-activation is used. features: their labels name the families.
        sizes: how many families on the upper and the lower level; by default sqrt(F) / 2 and F / 8.
    Raises:
        InputError: fewer than four features, or other sizes than 1 <= upper <= lower <= F.
        MissingExtra: SciPy is not installed.
    """
    count = len(directions)
    upper, lower = sizes or default_sizes(count)
    if count < 4 or not 1 <= upper <= lower <= count:
        raise InputError(f"families: {upper} and {lower} families of {count} features; give 1 <= upper <= lower <= F")
    hierarchy, distance = require("scipy.cluster.hierarchy", "eval"), require("scipy.spatial.distance", "eval")
    near = similarity(directions, examples)
    tree = hierarchy.linkage(distance.squareform(1.0 - near, checks=False), "average")
    coarse = hierarchy.fcluster(tree, upper, "maxclust")
    fine = hierarchy.fcluster(tree, lower, "maxclust")
    nodes: list[Family] = []
    own = np.zeros(count, np.int64)
    names = _Names(features)
    for top in np.unique(coarse):
        members = np.flatnonzero(coarse == top)
        parent = len(nodes)
        nodes.append(Family(parent, names.of(members, near), None, len(members), _centre(members, near)))
        for leaf in np.unique(fine[members]):  # a cut lower down only splits
            inside = members[fine[members] == leaf]
            own[inside] = len(nodes)
            nodes.append(Family(len(nodes), names.of(inside, near), parent, len(inside), _centre(inside, near)))
    return Grouped(nodes, own.tolist(), flags(directions, examples))


def default_sizes(count: int) -> tuple[int, int]:
    """sqrt(F) / 2 families on the upper level, F / 8 on the lower."""
    return max(2, round(math.sqrt(count) / 2)), max(2, count // 8)


def similarity(directions: Float32, examples: Sequence[FeatureExamples]) -> Float32:
    """[F, F] in [0, 1], 1 on the diagonal."""
    cosine = l2norm(directions) @ l2norm(directions).T
    together = np.zeros_like(cosine)
    for feature in examples:
        for other, index in feature.coactive:
            together[feature.feature_id, other] = together[other, feature.feature_id] = math.sqrt(index)
    near = (np.clip(cosine, 0.0, 1.0) + together) / 2
    near = (near + near.T) / 2
    np.fill_diagonal(near, 1.0)
    return np.asarray(near, np.float32)


def flags(directions: Float32, examples: Sequence[FeatureExamples]) -> list[tuple[str, ...]]:
    """dense, and duplicate:ID where an earlier feature has nearly the same direction or activations."""
    unit = l2norm(directions)
    out: list[list[str]] = [[] for _ in examples]
    for feature in examples:
        if feature.frequency > DENSE:
            out[feature.feature_id].append("dense")
        twins = set(np.flatnonzero(unit[: feature.feature_id] @ unit[feature.feature_id] > DUPLICATE_COSINE).tolist())
        twins |= {
            other for other, index in feature.coactive if other < feature.feature_id and index > DUPLICATE_JACCARD
        }
        out[feature.feature_id] += [f"duplicate:{twin}" for twin in sorted(twins)]
    return [tuple(found) for found in out]


class _Names:
    """Names of groups, from the labels of their features."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.labels = [(f.label or "").removeprefix(MIXED) for f in features]
        self.words = [set(candidates(label)) for label in self.labels]
        self.everywhere = Counter(word for words in self.words for word in words if " " not in word)
        self.named = sum(bool(label) for label in self.labels)

    def of(self, members: NDArray[np.int64], near: Float32) -> str:
        """The words that set its labels apart, if two or more hold them; else the labels of its two most central."""
        named = [int(j) for j in members if self.labels[j]]
        inside = Counter(word for j in named for word in self.words[j] if " " not in word)

        def score(word: str) -> float:
            lift = (inside[word] / len(named)) / (self.everywhere[word] / self.named)
            return inside[word] * math.log(lift) if lift > 1 else 0.0

        shared = [word for word in inside if inside[word] >= max(2, min(4, len(named) // 20)) and score(word) > 0]
        shared = sorted(shared, key=lambda word: (-score(word), word))[:WORDS]
        if len(shared) > 1 or (shared and inside[shared[0]] > len(named) // 2):
            return ", ".join(self._written(word, named) for word in shared)
        central = sorted(named, key=lambda j: (-float(near[j, members].sum()), j))[:2]
        return " / ".join(self.labels[j] for j in central) or f"feature {int(members[0])} and others"

    def _written(self, word: str, named: list[int]) -> str:
        """A folded word as most labels write it."""
        forms = Counter(form for j in named for key, form in candidates(self.labels[j]).items() if key == word)
        return max(forms, key=lambda form: (forms[form], form))


def _centre(members: NDArray[np.int64], near: Float32) -> int:
    return int(members[int(np.argmax(near[np.ix_(members, members)].sum(axis=1)))])
