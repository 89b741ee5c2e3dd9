"""Names from where features are used: which pairs count, which phrases they have in common."""

from __future__ import annotations

import numpy as np

from paper.studies.names_from_uses.naming import UseTexts, names_from_uses
from paper.studies.names_from_uses.phrases import phrases_of
from paper.studies.names_from_uses.uses import Uses, neighbours, over_the_range, uses_of
from xetrieval.sae import SparseAutoencoder


def test_a_text_is_not_its_own_neighbour() -> None:
    z = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    assert neighbours(z, z, np.arange(3), 2).tolist() == [[1, 2], [0, 2], [1, 0]]
    assert neighbours(z[:1], z[:1], np.array([0]), 2).tolist() == [[-1, -1]]


def test_a_use_is_a_pair_in_which_a_feature_carries_part_of_the_score() -> None:
    eye = np.eye(2, dtype=np.float32)
    sae = SparseAutoencoder(eye, np.zeros(2, np.float32), eye, np.zeros(2, np.float32), 2)
    q, z = np.array([[0.6, 0.8]], np.float32), np.array([[0.8, 0.6], [1, 0]], np.float32)
    uses = uses_of(sae, q, z, np.array([[0, 1]]))
    assert uses.counts.tolist() == [2, 1]
    assert uses.hit[uses.of(0)].tolist() == [1, 0], "the largest fraction first"
    assert np.allclose(uses.fraction, [1.0, 0.5, 0.5], atol=1e-5)


def test_uses_are_drawn_over_the_range_and_each_text_once() -> None:
    uses = Uses(np.array([0, 6]), np.array([0, 0, 1, 2, 3, 4]), np.array([0, 1, 1, 2, 3, 4]), np.linspace(1, 0.1, 6))
    assert over_the_range(uses, 0, 9).tolist() == [0, 2, 3, 4, 5]
    assert over_the_range(uses, 0, 2).tolist() == [0, 5]


def test_whole_stretches_go_before_fragments() -> None:
    phrases = phrases_of(["the United States of old"] * 9 + ["delete the account", "an account"])
    noun = dict(zip(phrases.folded, phrases.noun.tolist(), strict=True))
    assert noun["united state"] > noun["united"]
    assert "delete" not in noun, "one text alone holds it"
    assert phrases.written[phrases.folded.index("united state")] == "United States"


def test_features_are_named_by_what_their_uses_have_in_common() -> None:
    themes = ("account", "comma")
    asked = [f"an {themes[i % 2]} and word{i}" for i in range(40)]
    passages = [f"the {themes[i % 2]} or thing{i}" for i in range(40)]
    rows = np.concatenate([np.arange(0, 40, 2), np.arange(1, 40, 2)])
    uses = Uses(np.array([0, 20, 40, 42]), np.append(rows, [0, 1]), np.append(rows, [0, 1]), np.full(42, 0.5))
    names = names_from_uses(uses, UseTexts(phrases_of(asked + passages), len(asked)))
    assert [one.label for one in names] == ["account", "comma", None], "two uses are too few"
    assert names[0].holds == 1
    assert names[0].checked == 6
