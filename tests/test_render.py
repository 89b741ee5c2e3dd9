"""What a person sees: aligned, adding up, and safe against the text in it."""

from __future__ import annotations

import json
import math
import re

from conftest import random_explainer

from xetrieval import Explanation, FeatureShare
from xetrieval.explain.terminal import bar, plain_text, printable

HOSTILE = '<script>alert(1)</script>\x1b[31mred\x1b[0m\u202ereversed & "quoted"\nsecond line'


def hostile() -> Explanation:
    views = {"original": 0.2, "qa": 0.0, "summary": 0.1, "purpose": 0.0}
    features = (
        FeatureShare(3, HOSTILE, 0.30, 0.5, views),
        FeatureShare(4, None, 0.20, 0.5, views),
        FeatureShare(5, "below zero", -0.10, 0.5, views),
    )
    per_view = {"original": (3, 4, 5), "qa": (), "summary": (3, 4, 5), "purpose": ()}
    return Explanation(0.6, 0.05, 0.15, features, per_view, unread_document=57)


def test_the_lines_of_the_table_add_up_to_the_score() -> None:
    for count in (0, 1, 2, 9):
        text = plain_text(hostile(), count)
        *parts, score = [float(number) for number in re.findall(r"[+-]\d\.\d{4}", text)]
        assert abs(sum(parts) - score) < 3e-4
        assert "remainder" in text
        assert "57 tokens of the document" in text


def test_the_terminal_never_sees_control_characters() -> None:
    text = str(hostile())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert printable("a\tb\r\nc\x00d") == "a b cd"


def test_the_notebook_form_escapes_everything() -> None:
    html = hostile()._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "+0.6000" in html


def test_unnamed_features_are_shown_by_their_number() -> None:
    assert "feature 4" in str(hostile())


def test_bars_grow_with_the_share() -> None:
    lengths = [len(bar(fraction)) for fraction in (0.0, 0.25, 0.5, 1.0, 2.0)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 0
    assert bar(-0.5) == bar(0.5)


def test_a_real_explanation_prints_itself_and_converts() -> None:
    explanation = random_explainer().explain("red apple", "an apple is a red fruit")
    assert "score" in str(explanation)
    assert explanation.to_dict()["score"] == explanation.score


def test_a_score_of_zero_has_no_fractions_and_no_nan_in_json() -> None:
    zero = Explanation(0.0, 0.1, -0.1, (), {"original": (), "qa": (), "summary": (), "purpose": ()})
    assert math.isnan(zero.explained)
    assert json.loads(json.dumps(zero.to_dict(), allow_nan=False))["explained"] is None
    assert "a score of zero" in str(zero)
    assert "a score of zero" in zero._repr_html_()
