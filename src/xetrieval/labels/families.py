"""Groups thousands of features into a tree for browsing: families of families, named after the features' labels.

Two features are similar if their directions are and if the same passages activate them:
similarity = (max(0, cosine) + sqrt(Jaccard)) / 2, average linkage (SciPy), cut at two heights.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, l2norm
from ..errors import InputError
from ..extras import require
from ..features import Family, Feature
from ..sae.measure import DENSE, DUPLICATE
from .examples import FeatureExamples
from .keyphrases import candidates
from .naming import MIXED

DUPLICATE_JACCARD: Final = 0.7
WORDS: Final = 3  # number of words in a family's name


class FamilyTree(NamedTuple):
    """The tree, and for each feature its lower family and its flags."""

    families: list[Family]
    family: list[int]
    flags: list[tuple[str, ...]]


def families(
    directions: Float32,
    examples: Sequence[FeatureExamples],
    features: Sequence[Feature],
    sizes: tuple[int, int] | None = None,
) -> FamilyTree:
    """Group features.

    Args:
        directions: [F, m].
        examples: used for co-activations.
        features: used for labels, which name the families.
        sizes: the number of upper and of lower families; by default sqrt(F) / 2 and F / 8.
    Raises:
        InputError: fewer than four features, or not 1 <= upper <= lower <= F.
        MissingExtra: SciPy is not installed.
    """
    count = len(directions)
    upper, lower = sizes or default_sizes(count)
    if count < 4 or not 1 <= upper <= lower <= count:
        raise InputError(
            f"families: upper = {upper}, lower = {lower}, F = {count} features: need F >= 4 and "
            "1 <= upper <= lower <= F"
        )
    hierarchy, distance = require("scipy.cluster.hierarchy", "eval"), require("scipy.spatial.distance", "eval")
    near = similarity(directions, examples)
    tree = hierarchy.linkage(distance.squareform(1.0 - near, checks=False), "average")
    coarse = hierarchy.fcluster(tree, upper, "maxclust")
    fine = hierarchy.fcluster(tree, lower, "maxclust")
    nodes: list[Family] = []
    family = np.zeros(count, np.int64)
    names = _Names(features)

    def add(members: NDArray[np.int64], parent: int | None) -> int:
        name = names.of(members, near[np.ix_(members, members)].sum(axis=1))
        nodes.append(Family(len(nodes), name, parent, features=len(members), centre=_centre(members, near)))
        return len(nodes) - 1

    for top in np.unique(coarse):
        members = np.flatnonzero(coarse == top)
        parent = add(members, None)
        for leaf in np.unique(fine[members]):  # a lower cut only splits the groups of an upper one
            inside = members[fine[members] == leaf]
            family[inside] = add(inside, parent)
    return FamilyTree(nodes, family.tolist(), flags(directions, examples))


def renamed(
    nodes: Sequence[Family], features: Sequence[Feature], changed: Set[int], directions: Float32
) -> tuple[Family, ...]:
    """The families; those of a feature in `changed` are renamed from the current labels and the directions."""
    names, unit = _Names(features), l2norm(directions)
    above: dict[int | None, int | None] = {family.id: family.parent for family in nodes}
    inside: dict[int | None, list[int]] = {}
    for feature in features:
        for family in (feature.family, above.get(feature.family)):
            inside.setdefault(family, []).append(feature.feature_id)

    def current(family: Family) -> Family:
        members = np.array(inside.get(family.id, []), np.int64)
        if changed.isdisjoint(members.tolist()):
            return family
        return replace(family, name=names.of(members, np.clip(unit[members] @ unit[members].T, 0, 1).sum(axis=1)))

    return tuple(map(current, nodes))


def default_sizes(count: int) -> tuple[int, int]:
    """sqrt(F) / 2 upper and F / 8 lower families."""
    return max(2, round(math.sqrt(count) / 2)), max(2, count // 8)


def similarity(directions: Float32, examples: Sequence[FeatureExamples]) -> Float32:
    """[F, F] in [0, 1], 1 on the diagonal."""
    unit = l2norm(directions)
    cosine = unit @ unit.T
    together = np.zeros_like(cosine)
    for feature in examples:
        j = feature.feature_id
        for other, index in feature.coactive:
            together[j, other] = together[other, j] = math.sqrt(index)
    near = (np.clip(cosine, 0.0, 1.0) + together) / 2
    near = (near + near.T) / 2
    np.fill_diagonal(near, 1.0)
    return np.asarray(near, np.float32)


def flags(directions: Float32, examples: Sequence[FeatureExamples]) -> list[tuple[str, ...]]:
    """Flags: "dense"; "duplicate:ID" if an earlier feature has nearly the same direction or activations."""
    unit = l2norm(directions)
    table: list[list[str]] = [[] for _ in examples]
    for feature in examples:
        j = feature.feature_id
        if feature.frequency > DENSE:
            table[j].append("dense")
        twins = set(np.flatnonzero(unit[:j] @ unit[j] > DUPLICATE).tolist())
        twins |= {other for other, index in feature.coactive if other < j and index > DUPLICATE_JACCARD}
        table[j] += [f"duplicate:{twin}" for twin in sorted(twins)]
    return [tuple(own) for own in table]


class _Names:
    """Names of groups, from the labels of their features."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.labels = [(f.label or "").removeprefix(MIXED) for f in features]
        self.phrases = [candidates(label) for label in self.labels]
        self.everywhere = Counter(word for phrases in self.phrases for word in phrases if " " not in word)
        self.labelled = sum(bool(label) for label in self.labels)

    def of(self, members: NDArray[np.int64], nearness: Float32) -> str:
        """Distinctive words that two or more of the group's labels share; else its two most central labels.

        Args:
            nearness: how similar each member is to all of them.
        """
        labelled = [int(j) for j in members if self.labels[j]]
        inside = Counter(word for j in labelled for word in self.phrases[j] if " " not in word)

        def score(word: str) -> float:
            lift = (inside[word] / len(labelled)) / (self.everywhere[word] / self.labelled)
            return inside[word] * math.log(lift) if lift > 1 else 0.0

        shared = [word for word in inside if inside[word] >= max(2, min(4, len(labelled) // 20)) and score(word) > 0]
        shared = sorted(shared, key=lambda word: (-score(word), word))[:WORDS]
        if len(shared) > 1 or (shared and inside[shared[0]] > len(labelled) // 2):
            return ", ".join(self._written(word, labelled) for word in shared)
        near = dict(zip(members.tolist(), nearness.tolist(), strict=True))
        central = sorted(labelled, key=lambda j: (-near[j], j))[:2]
        return " / ".join(self.labels[j] for j in central) or f"feature {int(members[0])} and others"

    def _written(self, word: str, labelled: list[int]) -> str:
        """A folded word as most labels write it."""
        forms = Counter(self.phrases[j][word] for j in labelled if word in self.phrases[j])
        return max(forms, key=lambda form: (forms[form], form))


def _centre(members: NDArray[np.int64], near: Float32) -> int:
    return int(members[int(np.argmax(near[np.ix_(members, members)].sum(axis=1)))])
