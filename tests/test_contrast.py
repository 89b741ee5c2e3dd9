"""Two documents of one query: the differences add up, over one set of features."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from conftest import random_explainer
from test_render import HOSTILE

from xetrieval.encoders import HashingEncoder
from xetrieval.errors import InputError
from xetrieval.explain import attribute
from xetrieval.render.fitted import bars
from xetrieval.render.text import plain_text
from xetrieval.sae.projection import FeatureSets

QUERY = "how do vaccines protect a child"
FIRST = "Vaccines protect a child from measles."
SECOND = "How do birds fly south? A child may ask."


@pytest.fixture(scope="module")
def explainer():  # type: ignore[no-untyped-def]
    return random_explainer().with_encoder(HashingEncoder(64))


def test_the_differences_add_up_over_the_union(explainer) -> None:  # type: ignore[no-untyped-def]
    both = explainer.contrast(QUERY, FIRST, SECOND)
    alone = [explainer.explain(QUERY, document) for document in (FIRST, SECOND)]
    assert [both.first.score, both.second.score] == pytest.approx([why.score for why in alone], abs=1e-7)
    union = set(alone[0].shared_features) | set(alone[1].shared_features)
    assert {term.feature_id for term in both.first.terms} == union
    assert sum(a.share - b.share for a, b in both.pairs) + both.remainder == pytest.approx(both.difference, abs=1e-6)
    assert both.first.bias == both.second.bias
    for side in (both.first, both.second):
        shares = sum(term.share for term in side.terms)
        assert side.bias + shares + side.remainder == pytest.approx(side.score, abs=1e-6)
    sizes = [abs(a.share - b.share) for a, b in both.pairs]
    assert sizes == sorted(sizes, reverse=True)


def test_its_shares_are_those_of_attribution_over_the_union(explainer) -> None:  # type: ignore[no-untyped-def]
    both = explainer.contrast(QUERY, FIRST, SECOND)
    union = np.array(sorted(term.feature_id for term in both.first.terms), np.int32)
    q, z = explainer.encoder.encode_query([QUERY]), explainer.encoder.encode_document([SECOND])
    parts = attribute(q, z, explainer.sae.directions, explainer.sae.decoder_bias, FeatureSets.of([union]))
    expected = dict(zip(union.tolist(), parts.shares.tolist(), strict=True))
    for term in both.second.terms:
        assert term.share == pytest.approx(expected[term.feature_id], abs=1e-6)


def test_it_says_which_document_has_a_feature(explainer) -> None:  # type: ignore[no-untyped-def]
    both = explainer.contrast(QUERY, FIRST, SECOND)
    for pair in both.pairs:
        for document, term in zip((FIRST, SECOND), pair, strict=True):
            why, views = explainer.explain(QUERY, document), term.view_activations
            assert any(views.values()) == (term.feature_id in why.shared_features)
            for own in why.terms:
                if own.feature_id == term.feature_id:
                    assert {view: own.view_activations[view] for view in views} == pytest.approx(dict(views))


def test_swapping_the_documents_swaps_the_signs(explainer) -> None:  # type: ignore[no-untyped-def]
    one, other = explainer.contrast(QUERY, FIRST, SECOND), explainer.contrast(QUERY, SECOND, FIRST)
    assert [(a.feature_id, a.share - b.share) for a, b in one.pairs] == [
        (a.feature_id, b.share - a.share) for a, b in other.pairs
    ]
    assert one.difference == -other.difference


@pytest.mark.parametrize("count", [0, 2, 100])
def test_what_is_shown_still_adds_up(explainer, count: int) -> None:  # type: ignore[no-untyped-def]
    both = explainer.contrast(QUERY, FIRST, SECOND)
    rows = [[float(x) for x in re.findall(r"[+-]\d\.\d{4}", line)] for line in plain_text(both, count).splitlines()]
    *parts, score = [row for row in rows if row]
    np.testing.assert_allclose(np.sum(parts, axis=0), score, atol=1e-4 * len(parts))
    assert "union" in plain_text(both, count)
    record = json.loads(json.dumps(both.top(count).to_dict(), allow_nan=False))
    first, second = (
        record[side]["remainder"]
        + record[side]["other_terms"]["share"]
        + sum(t["share"] for t in record[side]["terms"])
        for side in ("first", "second")
    )
    assert first - second == pytest.approx(record["difference"], abs=1e-6)
    assert len(record["first"]["terms"]) == len(record["second"]["terms"]) == min(count, len(both.pairs))


def test_hostile_texts_and_bad_counts(explainer) -> None:  # type: ignore[no-untyped-def]
    both = explainer.contrast(QUERY, HOSTILE, SECOND)
    assert "<script" not in both._repr_html_()
    with pytest.raises(InputError, match="-1 terms"):
        both.top(-1)
    with pytest.raises(InputError, match="document 2 is empty"):
        explainer.contrast(QUERY, FIRST, "  ")


def test_bars_point_to_the_document_they_favour() -> None:
    assert bars([1.0, 0.5, 0.0], 8) == ["█" * 8, "█" * 4, ""]
    assert bars([2.0, -1.0, 1.0, -0.25], 13) == ["    │████████", "████│", "    │████", "   █│"]
    assert bars([-1.0, -0.5], 9) == ["████████│", "    ████│"]
    rng = np.random.default_rng(0)
    for shares in rng.standard_normal((50, 6)):
        shares[0] = -abs(shares[0])
        drawn = bars(shares.tolist(), 24)
        middle = {line.index("│") for line in drawn}
        assert len(middle) == 1
        assert max(map(len, drawn)) <= 25
        for share, line in zip(shares, drawn, strict=True):
            if abs(share) > 0.3:
                assert (line.strip()[0] == "│") == (share > 0)
