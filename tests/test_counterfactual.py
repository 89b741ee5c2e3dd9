"""The smallest change that moves a document: checked against trying everything, and scored on the edited vector."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit

from xetrieval.arrays import l2norm
from xetrieval.encoders import HashingEncoder
from xetrieval.explain import smallest_boost, smallest_erasure
from xetrieval.render.text import plain_text
from xetrieval.sae.projection import FeatureSets
from xetrieval.steer import erase

SAE = random_sae()


def case(seed: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A document made of `size` features that the query has too, and some noise."""
    rng = np.random.default_rng(seed)
    features = np.sort(rng.choice(128, size, replace=False)).astype(np.int32)
    weights = rng.uniform(0.3, 1, size)
    common = weights @ SAE.directions[features]
    q = l2norm((common + rng.normal(0, 0.1, 64))[None])[0]
    z = l2norm((common + SAE.decoder_bias + rng.normal(0, 0.1, 64))[None])[0]
    return q.astype(np.float32), z.astype(np.float32), features


def score_without(q: np.ndarray, z: np.ndarray, ids: tuple[int, ...]) -> float:
    edited = erase(SAE, z[None], FeatureSets.of([np.array(sorted(ids), np.int32)]))[0]
    return float(edited @ q.astype(np.float64))


def works(q: np.ndarray, z: np.ndarray, features: np.ndarray, below: float) -> list[tuple[int, ...]]:
    """All smallest sets that do it, by trying everything."""
    for size in range(1, len(features) + 1):
        found = [ids for ids in combinations(features.tolist(), size) if score_without(q, z, ids) < below]
        if found:
            return found
    return []


@pytest.mark.parametrize("seed", range(12))
def test_sets_of_one_and_two_are_the_smallest_there_are(seed: int) -> None:
    q, z, features = case(seed, 7)
    below = float(q @ z) - 0.05 * (1 + seed % 4)
    best = works(q, z, features, below)
    found = smallest_erasure(SAE, q, z, features, below)
    assert found is not None
    assert found.score == pytest.approx(score_without(q, z, tuple(found.features)), abs=1e-12)
    assert found.score < below
    if len(best[0]) <= 2:
        assert tuple(found.features.tolist()) in best
        assert found.score == pytest.approx(min(score_without(q, z, ids) for ids in best), abs=1e-9)


def test_no_proper_part_of_a_larger_set_does_it() -> None:
    larger = 0
    for seed in range(12):
        q, z, features = case(seed, 10)
        below = 0.55 * float(q @ z)
        found = smallest_erasure(SAE, q, z, features, below)
        if found is None or len(found.features) <= 2:
            continue
        larger += 1
        assert found.minimal
        for size in range(1, len(found.features)):
            assert all(score_without(q, z, ids) >= below - 1e-6 for ids in combinations(found.features.tolist(), size))
    assert larger >= 5


def test_a_search_too_short_or_hopeless_finds_nothing() -> None:
    q, z, features = case(1, 10)
    below = 0.55 * float(q @ z)
    assert smallest_erasure(SAE, q, z, features, below) is not None
    assert smallest_erasure(SAE, q, z, features, below, most=1) is None
    assert smallest_erasure(SAE, q, z, features, -1.0) is None
    assert smallest_erasure(SAE, q, z, features[:0], 0.9) is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_the_boost_is_the_smallest_factor(seed: int) -> None:
    q, z, features = case(seed, 6)
    z = l2norm((z + 0.5 * unit(1, seed=seed)[0])[None])[0].astype(np.float32)
    activations = np.random.default_rng(seed).uniform(0.05, 0.4, 6).astype(np.float32)

    def at(factor: float) -> float:
        moved = z.astype(np.float64) + (factor - 1) * (activations.astype(np.float64) @ SAE.directions[features])
        return float(q.astype(np.float64) @ moved / np.linalg.norm(moved))

    factors = np.linspace(1, 100, 20_000)
    scores = np.array([at(factor) for factor in factors])
    above = float(scores[0] + 0.6 * (scores.max() - scores[0]))
    boost = smallest_boost(SAE, q, z, features, activations, above)
    assert boost is not None
    assert boost.score == pytest.approx(at(boost.factor), abs=1e-9)
    assert boost.score > above
    first = factors[np.argmax(scores > above)]
    assert first - 0.01 < boost.factor <= first
    assert smallest_boost(SAE, q, z, features, activations, float(scores.max()) + 0.01) is None
    assert smallest_boost(SAE, q, z, features[:0], activations[:0], above) is None


def test_the_changes_change_the_places_of_two_documents() -> None:
    explainer = random_explainer().with_encoder(HashingEncoder(64))
    texts = ("how do vaccines protect a child", "Vaccines protect a child from measles.", "How do birds protect eggs?")
    both = explainer.contrast(*texts, counterfactual=True)
    change = both.counterfactual
    assert change is not None
    assert change.ahead == ("first" if both.difference >= 0 else "second")
    assert change.erase is None or change.erase.score < change.behind_score
    assert change.boost is None or change.boost.score > change.ahead_score
    swapped = explainer.contrast(texts[0], texts[2], texts[1], counterfactual=True).counterfactual
    assert swapped is not None
    assert (swapped.ahead, swapped.erase, swapped.boost) == (change.behind, change.erase, change.boost)
    text = plain_text(both, width=200)
    assert ("without label" in text or "without feature" in text) if change.erase else "shared features hold" in text
    record = json.loads(json.dumps(both.to_dict(), allow_nan=False))["counterfactual"]
    assert (record["erase"] is None) == (change.erase is None)
    assert (record["boost"] is None) == (change.boost is None)
