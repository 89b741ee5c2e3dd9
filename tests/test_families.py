"""Families, cards, transfer and pruning: finding the way among features, and from one autoencoder to another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_explainer, random_sae, unit
from label_data import SUBJECTS, blocks, subject_examples, subject_explainer, subject_sae

from xetrieval import load
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.features import Family, Feature, read_families, write_families
from xetrieval.labels.card import feature_card, search_features
from xetrieval.labels.examples import ExamplesConfig, gather
from xetrieval.labels.families import FamilyTree, families, flags, similarity
from xetrieval.labels.prune import prune
from xetrieval.labels.relabel import NewLabel, record_families, relabel
from xetrieval.labels.transfer import match_features
from xetrieval.sae import SparseAutoencoder

FEATURES = [Feature(j, f"{subject} in places", "worksheet", 0.1) for j, subject in enumerate(SUBJECTS)]


def paired_sae(noise: float = 0.2) -> SparseAutoencoder:
    """Eight features in four pairs of near directions."""
    rng = np.random.default_rng(0)
    base = np.repeat(np.eye(4, 12), 2, axis=0) + rng.normal(0, noise / 3, (8, 12))
    directions = (base / np.linalg.norm(base, axis=1, keepdims=True)).astype(np.float32)
    return SparseAutoencoder(directions, np.zeros(8, np.float32), directions.T.copy(), np.zeros(12, np.float32), 2)


def test_near_features_are_in_one_family_and_the_tree_adds_up() -> None:
    sae = paired_sae()
    examples = gather(sae, blocks(), ExamplesConfig(top=4, spread=2, contrast=2)).features
    grouped = families(sae.directions, examples, FEATURES, (2, 4))
    assert [grouped.family[j] == grouped.family[j + 1] for j in (0, 2, 4, 6)] == [True] * 4
    above = [f for f in grouped.families if f.parent is None]
    below = [f for f in grouped.families if f.parent is not None]
    assert (len(above), len(below)) == (2, 4)
    assert sum(f.features for f in above) == sum(f.features for f in below) == 8
    for family in above:
        assert sum(f.features for f in below if f.parent == family.id) == family.features
    assert [f.id for f in grouped.families] == list(range(6))
    assert all(f.name for f in grouped.families)


def test_similarity_is_symmetric_and_knows_coactivity() -> None:
    sae, examples = subject_sae(), subject_examples()
    near = similarity(sae.directions, examples)
    assert np.array_equal(near, near.T)
    assert (np.diag(near) == 1).all()
    j = next(f.feature_id for f in examples if f.coactive)
    other, index = examples[j].coactive[0]
    assert near[j, other] >= np.sqrt(index) / 2 - 1e-6, "orthogonal directions that fire together are near"


def test_duplicates_and_dense_features_are_flagged() -> None:
    directions = subject_sae().directions.copy()
    directions[5] = directions[2]
    examples = [replace(f, coactive=(), frequency=0.5 if f.feature_id == 3 else 0.01) for f in subject_examples()]
    found = flags(directions, examples)
    assert found[3] == ("dense",)
    assert found[5] == ("duplicate:2",)
    assert found[2] == ()
    examples[7] = replace(examples[7], coactive=((1, 0.9),))
    assert flags(directions, examples)[7] == ("duplicate:1",)


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="upper <= lower"):
        families(subject_sae().directions, subject_examples(), FEATURES, (5, 2))


def test_families_come_back_and_damage_is_named(tmp_path: Path) -> None:
    grouped = families(subject_sae().directions, subject_examples(), FEATURES, (2, 4))
    path = tmp_path / "families.jsonl"
    write_families(path, grouped.families)
    assert read_families(path) == tuple(grouped.families)
    path.write_text('{"id": 1}\n')
    with pytest.raises(DamagedError, match="line 1: not a family"):
        read_families(path)


def test_a_card_shows_a_feature_with_its_surroundings() -> None:
    examples = subject_examples()
    grouped = families(subject_sae().directions, examples, FEATURES, (2, 4))
    placed = [replace(f, family=grouped.family[f.feature_id]) for f in FEATURES]
    card = feature_card(2, subject_sae(), placed, grouped.families, examples[2])
    assert len(card.families) == 2
    assert sum(b.count for b in card.histogram) == len(examples[2].activations)
    assert [e.activation for e in card.examples] == sorted((e.activation for e in card.examples), reverse=True)
    assert 2 not in [n.feature_id for n in card.nearest]
    assert card.to_dict()["examples"][0]["text"].startswith("The football")
    bare = feature_card(2, subject_sae(), FEATURES)
    assert (bare.families, bare.histogram, bare.examples, bare.documents) == ((), (), (), None)
    with pytest.raises(InputError, match="no feature 8"):
        feature_card(8, subject_sae(), FEATURES)


def test_a_search_finds_words_and_their_plurals() -> None:
    assert [f.feature_id for f in search_features("Kidneys", FEATURES)] == [1]
    assert search_features("river places", FEATURES)[0].feature_id == 5
    assert search_features("zebra", FEATURES) == []


def vectors() -> list[np.ndarray]:
    return [block.vectors for block in blocks()()]


def test_labels_pass_between_features_that_point_and_fire_alike() -> None:
    old = subject_sae()
    order = np.array([3, 0, 7, 1, 6, 2, 5, 4])
    new = SparseAutoencoder(
        old.encoder_weight[order],
        old.encoder_bias[order],
        np.ascontiguousarray(old.decoder_weight[:, order]),
        old.decoder_bias,
        old.k,
    )
    matched = match_features(old, new, vectors())
    assert {m.old: m.new for m in matched.accepted} == {int(j): place for place, j in enumerate(order)}
    assert all(m.cosine == pytest.approx(1) and m.overlap == pytest.approx(1) for m in matched.accepted)
    assert matched.refused == []


def test_features_that_only_point_alike_are_refused() -> None:
    old = subject_sae()
    biased = replace(old, encoder_bias=np.array([-9.0] + [0.0] * 7, np.float32))  # feature 0 never fires
    matched = match_features(old, biased, vectors())
    assert [m.old for m in matched.refused] == [0]
    assert matched.refused[0].overlap == 0
    assert matched.refused[0].cosine == pytest.approx(1)


def test_unrelated_autoencoders_share_nothing() -> None:
    a, b = random_sae(64, 32, 4, seed=0), random_sae(64, 32, 4, seed=1)
    assert match_features(a, b, [unit(200, 32)]).accepted == []
    with pytest.raises(MismatchError, match="32 and 64 dimensions"):
        match_features(a, random_sae(64, 64, 4), [unit(9, 32)])
    with pytest.raises(InputError, match="no texts"):
        match_features(a, b, [])
    with pytest.raises(InputError, match="between 0 and 1"):
        match_features(a, b, [unit(9, 32)], least_cosine=2)


def test_a_pruned_explainer_keeps_directions_and_names() -> None:
    explainer = subject_explainer(random_explainer())
    explainer = replace(explainer, features=tuple(FEATURES))
    smaller = prune(explainer, [0, 5])
    assert [f.label for f in smaller.features] == [FEATURES[j].label for j in (1, 2, 3, 4, 6, 7)]
    assert [f.feature_id for f in smaller.features] == list(range(6))
    assert np.array_equal(smaller.sae.directions, explainer.sae.directions[[1, 2, 3, 4, 6, 7]])
    assert smaller.sae.digest != explainer.sae.digest
    assert smaller.provenance["pruned"]["dropped"] == 2
    x = np.stack([b.vectors[0] for b in blocks(3)()][:50])
    before, after = explainer.sae.encode(x).dense(8), smaller.sae.encode(x).dense(6)
    kept = before[:, [1, 2, 3, 4, 6, 7]]
    assert (after[kept > 0] == kept[kept > 0]).all(), "what was active and stays is as active as before"
    with pytest.raises(InputError, match="no feature 8"):
        prune(explainer, [8])
    with pytest.raises(InputError, match="fewer than the 2"):
        prune(explainer, range(7))


def test_the_digest_is_of_directions_and_survives_half_precision() -> None:
    sae = random_sae()
    assert replace(sae, k=4).digest == sae.digest
    halved = replace(
        sae,
        encoder_weight=sae.encoder_weight.astype(np.float16).astype(np.float32),
        decoder_weight=sae.decoder_weight.astype(np.float16).astype(np.float32),
    )
    assert halved.digest == sae.digest
    assert replace(sae, encoder_bias=sae.encoder_bias + 1).digest != sae.digest


def test_new_labels_name_their_families_again_and_no_other(tmp_path: Path) -> None:
    explainer = replace(random_explainer(), families=())
    explainer.save(tmp_path / "ex")
    count = explainer.sae.features
    half = count // 2
    words = ["volcano eruption"] * half + ["tax law"] * (count - half)
    relabel(tmp_path / "ex", [NewLabel(j, f"{word} {j}", "worksheet") for j, word in enumerate(words)])
    tree = [
        Family(0, "volcano, eruption", None, half, 0),
        Family(1, "my own name", None, count - half, half),
        Family(2, "volcano, eruption", 0, half, 0),
        Family(3, "tax, law", 1, count - half, half),
    ]
    grouped = FamilyTree(tree, [2] * half + [3] * (count - half), [()] * count)
    record_families(tmp_path / "ex", grouped, [0.1] * count)
    relabel(tmp_path / "ex", [NewLabel(j, f"medieval castle {j}", "worksheet") for j in range(half)])
    found = load(tmp_path / "ex").families
    assert [family.name for family in found[1::2]] == ["my own name", "tax, law"]
    for family in found[::2]:
        assert {"medieval", "castle"} <= set(family.name.split(", "))
    assert [replace(family, name="") for family in found] == [replace(family, name="") for family in tree]
    relabel(tmp_path / "ex", [NewLabel(j, None, "worksheet") for j in range(half)])
    assert load(tmp_path / "ex").families[0].name == "feature 0 and others"
