"""The shared features, and the shares that add up."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from xetrieval.errors import InputError, MismatchError
from xetrieval.explain import attribute, overlap
from xetrieval.sae import SparseCodes
from xetrieval.sae.projection import RIDGE, FeatureSets, _Common, project


def test_overlap_is_the_union_over_views_of_the_intersections_with_the_query() -> None:
    rng = np.random.default_rng(1)
    sae = random_sae()
    q = sae.encode(unit(700, seed=2))
    views = [sae.encode(unit(700, seed=3 + v)) for v in range(4)]
    shared = overlap(q, views, sae.features)
    for i in rng.choice(700, 50, replace=False):
        in_query = set(q.support(i).tolist())
        expected = sorted(set().union(*(in_query & set(view.support(i).tolist()) for view in views)))
        rows = shared.of(i)
        assert shared.features[rows].tolist() == expected
        dense_q, dense_v = (
            q.rows(slice(i, i + 1)).dense(sae.features)[0],
            [v.rows(slice(i, i + 1)).dense(sae.features)[0] for v in views],
        )
        for row, feature in zip(range(rows.start, rows.stop), expected, strict=True):
            assert shared.query_activation[row] == dense_q[feature] > 0
            assert shared.view_activations[row].tolist() == [d[feature] for d in dense_v]


def test_a_feature_at_or_below_the_threshold_is_not_active() -> None:
    q = SparseCodes(np.array([[3, 5]], np.int32), np.array([[0.5, 0.2]], np.float32))
    d = SparseCodes(np.array([[3, 5]], np.int32), np.array([[0.4, 0.0]], np.float32))
    assert overlap(q, [d], 8).features.tolist() == [3]
    assert overlap(q, [d], 8, threshold=0.4).features.tolist() == []


def test_overlap_refuses_rows_that_do_not_pair_up() -> None:
    sae = random_sae()
    with pytest.raises(MismatchError, match="2 queries"):
        overlap(sae.encode(unit(2)), [sae.encode(unit(3))], sae.features)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), size=st.integers(0, 60), twins=st.booleans())
def test_bias_shares_and_remainder_add_up_for_any_set(seed: int, size: int, twins: bool) -> None:
    sae = random_sae(seed=seed % 7)
    rng = np.random.default_rng(seed)
    q, z = unit(3, seed=seed), unit(3, seed=seed + 1)
    sets = [np.sort(rng.choice(128, n, replace=False)).astype(np.int32) for n in (size, 0, size // 2)]
    directions = sae.directions.copy()
    if twins and size > 1:
        directions[sets[0][1]] = directions[sets[0][0]]  # two equal directions: the ridge keeps it solvable
    parts = attribute(q, z, directions, sae.decoder_bias, FeatureSets.of(sets))
    assert np.allclose(parts.bias + parts.total + parts.remainder, (q * z).sum(1), atol=1e-6)
    assert parts.total[1] == 0.0


def test_shares_are_beta_times_the_query_along_each_direction() -> None:
    sae = random_sae()
    q, z = unit(1, seed=5), unit(1, seed=6)
    ids = np.array([4, 9, 77], np.int32)
    parts = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets.of([ids]))
    W = sae.decoder_weight[:, ids].astype(np.float64)
    beta = np.linalg.inv(W.T @ W + RIDGE * np.eye(3)) @ W.T @ (z[0].astype(np.float64) - sae.decoder_bias)
    assert np.allclose(parts.shares, beta * (q[0].astype(np.float64) @ W), atol=1e-12)
    assert np.allclose(parts.bias, q[0].astype(np.float64) @ sae.decoder_bias.astype(np.float64), atol=1e-12)


def test_sets_of_very_different_size_get_the_same_result_as_alone() -> None:
    sae = random_sae()
    q, z = unit(200, seed=8), unit(200, seed=9)
    rng = np.random.default_rng(0)
    sets = [np.sort(rng.choice(128, int(n), replace=False)).astype(np.int32) for n in rng.integers(0, 50, 200)]
    together = attribute(q, z, sae.directions, sae.decoder_bias, FeatureSets.of(sets))
    starts = np.cumsum([0, *map(len, sets)])
    for i in (0, 17, 199):
        alone = attribute(q[i : i + 1], z[i : i + 1], sae.directions, sae.decoder_bias, FeatureSets.of([sets[i]]))
        assert np.allclose(together.shares[starts[i] : starts[i + 1]], alone.shares, atol=1e-10)
        assert np.isclose(together.remainder[i], alone.remainder[0], atol=1e-10)


def test_rows_with_features_in_common_get_the_same_result_as_alone() -> None:
    """The documents of one query share a Gram matrix; alone, each has its own."""
    sae, rng = random_sae(), np.random.default_rng(4)
    pool = np.sort(rng.choice(128, 20, replace=False)).astype(np.int32)
    sets = [np.sort(rng.choice(pool, size, replace=False)) for size in [*range(8, 21), 0] * 6]
    q, z = np.repeat(unit(1), len(sets), axis=0), unit(len(sets), seed=1)
    u = z.astype(np.float64) - sae.decoder_bias
    directions = sae.directions.copy()
    directions[pool[1]] = directions[pool[0]]  # two equal directions
    packed = FeatureSets.of(sets)
    assert _Common.of(directions, packed, np.diff(packed.starts)) is not None
    together = project(directions, packed, u, q.astype(np.float64))
    for i, ids in enumerate(sets):
        alone = FeatureSets.of([ids])
        assert _Common.of(directions, alone, np.diff(alone.starts)) is None
        one = project(directions, alone, u[i : i + 1], q[i : i + 1].astype(np.float64))
        rows = slice(packed.starts[i], packed.starts[i + 1])
        np.testing.assert_allclose(together.beta[rows], one.beta, atol=1e-8)
        np.testing.assert_allclose(together.along[rows], one.along, atol=1e-12)
        np.testing.assert_allclose(together.inside[i], one.inside[0], atol=1e-12)


def test_an_explanation_adds_up_and_names_what_it_shows() -> None:
    pair = random_explainer().explain("how do locks work", "a lock works by letting one thread pass")
    assert pair.bias + sum(term.share for term in pair.terms) + pair.remainder == pytest.approx(pair.score, abs=1e-6)
    same = random_explainer().explain("how do locks work", "how do locks work")
    assert same.explained == pytest.approx((same.score - same.remainder) / same.score)
    assert same.bias < 0 or same.explained_without_bias == pytest.approx(same.explained - same.bias / same.score)
    assert [term.share for term in pair.terms] == sorted((term.share for term in pair.terms), reverse=True)
    assert set(pair.shared_features) == set().union(*map(set, pair.per_view.values()))
    assert {term.name for term in pair.terms} == {t.label or f"feature {t.feature_id}" for t in pair.terms}


def test_what_is_shown_still_adds_up() -> None:
    pair = random_explainer().explain("how do locks work", "a lock works by letting one thread pass")
    assert len(pair.terms) > 3
    for count in (0, 1, 3, 1000):
        record = pair.top(count).to_dict()
        total = sum(entry["share"] for entry in record["terms"]) + record["other_terms"]["share"]
        assert record["bias"] + total + record["remainder"] == pytest.approx(pair.score, abs=1e-6)
        assert len(record["terms"]) + record["other_terms"]["count"] == len(pair.terms)
        assert record["shared_features"] == list(pair.shared_features)
    with pytest.raises(InputError, match="0 or more"):
        pair.top(-1)


def test_vectors_and_texts_give_the_same_explanation() -> None:
    explainer = random_explainer()
    q, z = (
        explainer.encoder.encode_query(["red apple"]),
        explainer.encoder.encode_document(["an apple is red"]),
    )
    by_vector, by_text = (
        explainer.explain_vectors(q * 3, z)[0],
        explainer.explain("red apple", "an apple is red"),
    )
    assert by_vector.score == pytest.approx(by_text.score, abs=1e-6)
    assert by_vector.shared_features == by_text.shared_features
    assert [t.share for t in by_vector.terms] == pytest.approx([t.share for t in by_text.terms], abs=1e-6)


@pytest.mark.parametrize(
    ("q", "z", "words"),
    [
        (np.zeros((1, 64)), unit(1), "query vectors: row 0 is zero"),
        (unit(1), np.full((1, 64), np.nan), "document vectors: row 0 contains NaN"),
        (unit(1), unit(1, 32), "document vectors: dimension is 32, expected 64"),
        (unit(2), unit(1), "2 query vectors for 1 document"),
        (["a"], unit(1), "query vectors: not an array of numbers"),
        (np.ones((1, 2, 3)), unit(1), r"expected shape \[n, m\]"),
    ],
)
def test_unusable_vectors_are_refused_in_words(explainer, q, z, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((InputError, MismatchError), match=words):
        explainer.explain_vectors(q, z)


@pytest.mark.parametrize(("query", "document"), [("", "text"), ("text", "  \n"), ("text", None)])
def test_empty_or_missing_texts_are_refused(explainer, query, document) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"is empty|is None"):
        explainer.explain(query, document)


def test_no_pairs_are_no_explanations(explainer) -> None:  # type: ignore[no-untyped-def]
    assert len(explainer.explain_pairs([], [])) == 0
