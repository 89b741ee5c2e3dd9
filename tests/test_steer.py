"""Steering by a profile: from stored codes, equal to editing the vectors, and never of another autoencoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import random_sae, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from xetrieval.arrays import l2norm
from xetrieval.errors import InputError, MismatchError
from xetrieval.sae import SparseCodes
from xetrieval.steer import SteeringProfile, steered_scores, steered_vectors

SAE = random_sae()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), factors=st.dictionaries(st.integers(0, 127), st.floats(0, 8), max_size=30))
def test_steered_scores_are_those_of_the_edited_vectors(seed: int, factors: dict[int, float]) -> None:
    q, z = unit(3, seed=seed), unit(40, seed=seed + 1)
    codes = SAE.encode(z)
    dense = codes.dense(128).astype(np.float64)
    alpha = np.array([factors.get(j, 1.0) for j in range(128)])
    edited = l2norm(z.astype(np.float64) + (dense * (alpha - 1)) @ SAE.directions.astype(np.float64))
    np.testing.assert_allclose(steered_vectors(SAE, z, codes, factors), edited, atol=1e-12)
    np.testing.assert_allclose(steered_scores(SAE, q, z, codes, factors), q.astype(np.float64) @ edited.T, atol=1e-9)


def test_a_document_without_the_feature_keeps_its_score() -> None:
    q, z = unit(2, seed=5), unit(60, seed=6)
    codes = SAE.encode(z)
    feature = int(codes.features[0, 0])
    has = codes.dense(128)[:, feature] > 0
    scores = steered_scores(SAE, q, z, codes, {feature: 3.0})
    before = q.astype(np.float64) @ z.astype(np.float64).T
    assert has[0]
    assert not has.all()
    np.testing.assert_array_equal(scores[:, ~has], before[:, ~has])
    assert (np.abs(scores[:, has] - before[:, has]) > 1e-6).all()
    np.testing.assert_array_equal(steered_scores(SAE, q, z, codes, {feature: 1.0}), before)
    np.testing.assert_array_equal(steered_scores(SAE, q, z, codes, {}), before)


def test_empty_slots_are_not_steered() -> None:
    """A slot of value 0 names a feature that is not active."""
    z = unit(1, seed=3)
    codes = SparseCodes(np.array([[7, 9]], np.int32), np.array([[0.4, 0.0]], np.float32))
    np.testing.assert_array_equal(steered_vectors(SAE, z, codes, {9: 5.0}), l2norm(z.astype(np.float64)))


def test_a_profile_is_written_and_read(tmp_path: Path) -> None:
    profile = SteeringProfile({9: 0.5, 3: 2.0}, SAE.digest, "judgments of toy", "less of nine – 漢")
    profile.save(tmp_path / "profile.json")
    assert SteeringProfile.load(tmp_path / "profile.json", SAE) == profile
    assert list(json.loads((tmp_path / "profile.json").read_text())["factors"]) == ["3", "9"]
    with pytest.raises(MismatchError, match="made for autoencoder"):
        SteeringProfile.load(tmp_path / "profile.json", random_sae(seed=1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1", "not JSON"),
        ("[]", "give"),
        ('{"factors": [1]}', "give"),
        ('{"factors": {"128": 1}, "sae_digest": "D"}', "'128' is not a feature"),
        ('{"factors": {"-1": 1}, "sae_digest": "D"}', "'-1' is not a feature"),
        ('{"factors": {"²": 1}, "sae_digest": "D"}', "'²' is not a feature"),
        ('{"factors": {"1": -0.1}, "sae_digest": "D"}', "1: -0.1 is not a factor"),
        ('{"factors": {"1": true}, "sae_digest": "D"}', "is not a factor"),
        ('{"factors": {"1": NaN}, "sae_digest": "D"}', "NaN; JSON has no such number"),
        ('{"factors": {"1": Infinity}, "sae_digest": "D"}', "Infinity; JSON has no such number"),
        ('{"factors": {"1": "2"}, "sae_digest": "D"}', "is not a factor"),
    ],
)
def test_a_bad_profile_is_refused_by_file_and_field(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content.replace('"D"', json.dumps(SAE.digest)))
    with pytest.raises(InputError, match=words) as refused:
        SteeringProfile.load(path, SAE)
    assert path.name in str(refused.value)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    z = unit(3)
    with pytest.raises(MismatchError, match="2 codes for 3 documents"):
        steered_vectors(SAE, z, SAE.encode(z[:2]), {1: 2.0})
    with pytest.raises(InputError, match="no feature 128"):
        steered_scores(SAE, unit(1), z, SAE.encode(z), {128: 2.0})
    with pytest.raises(InputError, match="no such file"):
        SteeringProfile.load(tmp_path / "absent.json", SAE)
