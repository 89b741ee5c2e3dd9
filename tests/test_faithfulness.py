"""Curves and stability on cases whose answer is known."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit
from scipy.stats import kendalltau

from paper.kit.stability import Shown, alike_features, shown_features, stability
from paper.kit.words import word_curves
from xetrieval.data import Document
from xetrieval.data.benchmark import Benchmark
from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError
from xetrieval.evaluate import BenchmarkVectors, FaithfulnessConfig, faithfulness
from xetrieval.evaluate.listwise import list_agreement, share_sums
from xetrieval.explain import attribute, overlap
from xetrieval.sae.projection import FeatureSets
from xetrieval.steer import erase, keep_only

SMALL = FaithfulnessConfig(queries=20, steps=(0, 1, 2, 4), ranked_queries=4, depth=20, bootstrap=50)


@pytest.fixture(scope="module")
def case() -> tuple[Benchmark, BenchmarkVectors]:
    rng = np.random.default_rng(0)
    documents = [Document(f"d{i}", f"text {i}", f"text {i}", f"d{i}", {}) for i in range(60)]
    judgments = {f"q{i}": {f"d{int(rng.integers(60))}": 1} for i in range(20)}
    benchmark = Benchmark("toy", documents, list(judgments), [f"query {i}" for i in range(20)], judgments)
    return benchmark, BenchmarkVectors(unit(20, seed=1), unit(60, seed=2))


@pytest.mark.slow
def test_curves_are_those_of_the_edited_vectors(case: tuple[Benchmark, BenchmarkVectors]) -> None:
    explainer = random_explainer()
    record = faithfulness(explainer, *case, SMALL, raw=random_sae(seed=7))
    assert set(record.orders) == {"share", "random", "raw_sae"}
    curve = record.orders["share"]
    assert curve.deletion[0] == pytest.approx(1, abs=1e-4)  # nothing erased
    ours, random = curve.deletion_area, record.orders["random"].deletion_area
    assert ours <= random  # the largest shares first
    assert curve.deletion_area_ci[0] <= ours <= curve.deletion_area_ci[1]
    np.testing.assert_allclose(ours, np.interp([1, 2, 3, 4], SMALL.steps, curve.deletion).mean(), atol=2e-4)
    explained = [point.explained for point in record.explained]
    assert len(explained) == 4
    for key in ("shown", "all_shared", "random_active"):
        assert -1 <= getattr(record.rank, key) <= 1


@pytest.mark.parametrize("steps", [(), (0,), (4, 2, 1), (1, 1)])
def test_steps_of_curves_ascend(steps: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="ascending steps"):
        FaithfulnessConfig(steps=steps)


def test_one_step_of_a_curve_by_hand(case: tuple[Benchmark, BenchmarkVectors]) -> None:
    explainer, (benchmark, vectors) = random_explainer(), case
    one = FaithfulnessConfig(queries=20, steps=(0, 1), ranked_queries=1, depth=20, bootstrap=20)
    record = faithfulness(explainer, benchmark, vectors, one)
    from xetrieval.evaluate.pairs import InterventionConfig, draw_pairs

    pairs = draw_pairs(benchmark, vectors, InterventionConfig(queries=20), np.random.default_rng(0))
    q, z = vectors.queries[pairs.query], vectors.documents[pairs.document]
    first = [shown.features for shown in shown_features(explainer, q, z, 1)]
    cosine = np.einsum("nm,nm->n", q, z)
    sets = FeatureSets.of(first)
    gone = np.einsum("nm,nm->n", q, erase(explainer.sae, z, sets)) / cosine
    kept = np.einsum("nm,nm->n", q, keep_only(explainer.sae, z, sets)) / cosine
    assert record.orders["share"].deletion[1] == pytest.approx(gone.mean(), abs=1e-3)
    assert record.orders["share"].insertion[1] == pytest.approx(kept.mean(), abs=1e-3)


def test_words_that_carry_the_score_go_first() -> None:
    encoder = HashingEncoder(256)
    texts = [f"apple filler{i} nothing{i} other{i} some{i} more{i}" for i in range(12)]
    documents = [Document(f"d{i}", text, text, f"d{i}", {}) for i, text in enumerate(texts)]
    benchmark = Benchmark("toy", documents, ["q"], ["apple"], {"q": {"d3": 1}})
    vectors = BenchmarkVectors(encoder.encode_query(["apple"]), encoder.encode_document(texts))
    record = word_curves(encoder, benchmark, vectors, SMALL)
    ours, random = record["orders"]["attribution"], record["orders"]["random"]
    assert ours["deletion"][0] == pytest.approx(1, abs=1e-4)
    assert ours["deletion"][1] < 0.5  # without "apple" little is left
    assert ours["insertion"][1] > 1.5  # "apple" alone is the query
    assert ours["deletion_area"] < random["deletion_area"]
    assert ours["insertion_area"] > random["insertion_area"]


def test_an_explanation_is_stable_against_itself_and_not_against_strangers() -> None:
    explainer = random_explainer()
    shown = shown_features(explainer, unit(40, seed=5), unit(40, seed=6))
    same = stability(shown, shown)
    assert same["kept"] == same["jaccard"] == same["top_kept"] == 1
    assert same["chance"] < 0.5
    half = [Shown(s.features[: len(s.features) // 2], s.shares[: len(s.features) // 2]) for s in shown]
    expected = [np.abs(s.shares[: len(s.shares) // 2]).sum() / np.abs(s.shares).sum() for s in shown if len(s.features)]
    assert stability(shown, half)["kept"] == pytest.approx(np.mean(expected), abs=1e-3)


def test_features_of_two_autoencoders_are_matched_by_direction() -> None:
    first = random_sae(seed=1)
    order = np.random.default_rng(0).permutation(128)
    from dataclasses import replace

    second = replace(
        first,
        encoder_weight=first.encoder_weight[order],
        encoder_bias=first.encoder_bias[order],
        decoder_weight=np.ascontiguousarray(first.decoder_weight[:, order]),
    )
    alike = alike_features(first, second)
    np.testing.assert_array_equal(np.argmax(alike, axis=1), np.argsort(order))
    assert alike.sum() == 128
    a, b = (
        shown_features(replace(random_explainer(), sae=sae), unit(30, seed=5), unit(30, seed=6))
        for sae in (first, second)
    )
    assert stability(a, b, alike)["kept"] == 1


def test_lists_in_the_order_of_their_shares_agree() -> None:
    explainer = random_explainer()
    sae, z = explainer.sae, unit(300, seed=3)
    lists = []
    for row in range(3):
        order = np.argsort(-(z @ unit(3, seed=4)[row]))[:30]
        lists.append((unit(3, seed=4)[row], z[order], [sae.encode(z[order])]))
    ten, thirty = list_agreement(sae, z, lists, resamples=20)
    assert (ten.documents, thirty.documents, ten.queries) == (10, 30, 3)
    q = np.repeat(lists[0][0][None], 30, axis=0)
    sums = share_sums(sae, q, lists[0][1], lists[0][2])
    for i, pair in enumerate(explainer.explain_vectors(q, lists[0][1])):
        original = [term for term in pair.terms if term.view_activations["original"] > 0]
        if len(original) == len(pair.terms):  # no feature of another view, which would take a part of the shares
            assert sums["all_shared"][i] == pytest.approx(sum(term.share for term in pair.terms), abs=1e-5)
            assert sums["largest"][i] == pytest.approx(sum(t.share for t in pair.top(8).terms), abs=1e-5)
    taus = [kendalltau(q @ z.T, share_sums(sae, np.repeat(q[None], 30, 0), z, views)["displayed"]).statistic
            for q, z, views in lists]  # fmt: skip
    assert thirty.displayed == pytest.approx(np.nan_to_num(taus).mean(), abs=1e-3)
    only_one = list_agreement(sae, z, [(z[0], z[:5], [sae.encode(z[:5])])], resamples=20)
    assert [one.documents for one in only_one] == [5]


def test_twins_have_one_line_in_lists_as_in_explanations() -> None:
    """Two directions that are nearly one carry one share; each half alone would be below a tenth, and have no line."""
    explainer = random_explainer()
    q, z = unit(1, seed=8), unit(40, seed=9)
    pairs, views = np.repeat(q, len(z), axis=0), [explainer.sae.encode(z)]
    shared = overlap(explainer.sae.encode(pairs), views, explainer.sae.features)
    parts = attribute(pairs, z, explainer.sae.directions, explainer.sae.decoder_bias,
                      FeatureSets(shared.starts, shared.features))  # fmt: skip
    row = next(i for i in range(len(z)) if len(parts.shares[shared.of(i)]) > 2)
    rows = shared.of(row)
    first, second = np.argsort(-np.abs(parts.shares[rows]))[:2]
    leaders = parts.twins.copy()
    shares = parts.shares.copy()
    own = abs(parts.score[row] - parts.bias[row])
    at = np.arange(len(leaders))[rows]
    shares[at] = 0.0
    shares[at[first]] = shares[at[second]] = 0.06 * own
    third = next(i for i in range(len(at)) if i not in (first, second))
    shares[at[third]] = 0.5 * own
    leaders[at[second]] = at[first]
    twins = parts._replace(shares=shares, twins=leaders)
    with mock.patch("xetrieval.evaluate.listwise.attribute", return_value=twins):
        sums = share_sums(explainer.sae, pairs, z, views)
    assert sums["displayed"][row] == pytest.approx(0.62 * own)  # 0.5 of it without the line of the twins
    assert sums["all_shared"][row] == pytest.approx(0.62 * own)
