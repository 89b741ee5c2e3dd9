"""The paper's form, the residual form, and the release's files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import random_internalizer, unit

from xetrieval.configs import InternalizerConfig
from xetrieval.errors import DamagedError, InputError, MismatchError
from xetrieval.files.manifest import sealed
from xetrieval.internalizer import (
    Internalizer,
    load_internalizers,
    read_release_internalizer,
    save_internalizers,
    write_release_internalizer,
)
from xetrieval.internalizer.train import nearness, split_by_group, train_internalizer


@pytest.mark.parametrize("form", ["paper", "residual"])
def test_views_follow_their_equation_and_have_unit_norm(form: str) -> None:
    net, z = random_internalizer(form=form), unit(5)
    out = np.tanh(z @ net.w1.T + net.b1) @ net.w2.T + net.b2 + (z if form == "residual" else 0)
    assert np.allclose(net(z), out / np.linalg.norm(out, axis=1, keepdims=True), atol=1e-6)


@pytest.mark.slow
def test_the_residual_form_starts_at_the_identity() -> None:
    z = unit(6)
    fitted = train_internalizer(z, unit(6, seed=1), list("aabbcc"), InternalizerConfig(epochs=1, learning_rate=0.0))
    assert np.allclose(fitted.internalizer(z), z, atol=1e-6)
    assert fitted.cosine == pytest.approx(fitted.raw_cosine, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["paper", "residual"])
def test_training_learns_a_rotation(form: str) -> None:
    rng = np.random.default_rng(0)
    z = unit(1500, 16)
    turn = np.linalg.qr(rng.standard_normal((16, 16)))[0].astype(np.float32)
    config = InternalizerConfig(form=form, hidden=128, learning_rate=3e-3, epochs=60)  # type: ignore[arg-type]
    fitted = train_internalizer(z, z @ turn, [str(i) for i in range(1500)], config)
    assert fitted.cosine > 0.95 > fitted.raw_cosine + 0.5
    assert fitted.validation_pairs == round(0.15 * 1500)


def test_the_same_seed_gives_the_same_network() -> None:
    z, y, groups = unit(60), unit(60, seed=1), [str(i // 2) for i in range(60)]
    first, second = (train_internalizer(z, y, groups, InternalizerConfig(epochs=3)) for _ in range(2))
    assert np.array_equal(first.internalizer.w1, second.internalizer.w1)


def test_no_thread_sits_on_both_sides() -> None:
    groups = [f"thread {i % 40}" for i in range(400)]
    held = split_by_group(groups, 0.15, seed=3)
    inside = {g for g, h in zip(groups, held, strict=True) if h}
    outside = {g for g, h in zip(groups, held, strict=True) if not h}
    assert len(inside) == 6
    assert not inside & outside


@pytest.mark.parametrize("validation", [0.01, 0.5, 0.99])
def test_either_side_gets_a_thread(validation: float) -> None:
    held = split_by_group(["a", "a", "b"], validation, seed=0)
    assert held.any()
    assert not held.all()


def test_lessons_from_one_thread_are_too_few() -> None:
    with pytest.raises(InputError, match="two threads"):
        train_internalizer(unit(4), unit(4, seed=1), ["a"] * 4, InternalizerConfig())
    with pytest.raises(MismatchError, match="targets"):
        train_internalizer(unit(4), unit(3), ["a"] * 4, InternalizerConfig())
    with pytest.raises(InputError, match="form 'other'"):
        InternalizerConfig(form="other")  # type: ignore[arg-type]


def test_the_papers_form_goes_through_the_release_layout_unchanged(tmp_path: Path) -> None:
    net, z = random_internalizer(form="paper"), unit(4)
    write_release_internalizer(net, tmp_path / "model_qa.pt")
    state = torch.load(tmp_path / "model_qa.pt", weights_only=True)
    assert {key: list(value.shape) for key, value in state.items()} == {
        "net.0.weight": [32, 64],
        "net.0.bias": [32],
        "net.2.weight": [64, 32],
        "net.2.bias": [64],
    }
    assert np.array_equal(read_release_internalizer(tmp_path / "model_qa.pt")(z), net(z))


def test_the_residual_form_is_refused_by_that_layout(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="only the paper's form"):
        write_release_internalizer(random_internalizer(), tmp_path / "model_qa.pt")
    assert not list(tmp_path.iterdir())


def test_another_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"net.0.weight": torch.ones(2, 2)}, tmp_path / "model_qa.pt")
    with pytest.raises(DamagedError, match=r"lacks net\.0\.bias"):
        read_release_internalizer(tmp_path / "model_qa.pt")


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MismatchError, match="do not fit"):
        Internalizer(
            np.ones((3, 4), np.float32),
            np.ones(3, np.float32),
            np.ones((5, 3), np.float32),
            np.ones(4, np.float32),
        )


# ------------------------------------------------------------------ mixing, reports, files


@pytest.mark.slow
def test_weights_decide_which_teacher_is_followed() -> None:
    z, towards, away = unit(200), unit(200, seed=1), unit(200, seed=2)
    both, targets = np.concatenate([z, z]), np.concatenate([towards, away])
    groups = [str(i) for i in range(200)] * 2
    config = InternalizerConfig(hidden=256, learning_rate=3e-3, epochs=40, patience=40)
    follow = {}
    for name, weight in (("first", (1.0, 0.02)), ("second", (0.02, 1.0))):
        weights = np.repeat(np.array(weight, np.float32), 200)
        fitted = train_internalizer(both, targets, groups, config, weights)
        follow[name] = [np.einsum("nm,nm->n", fitted.internalizer(z), t).mean() for t in (towards, away)]
    assert follow["first"][0] > follow["first"][1] + 0.2
    assert follow["second"][1] > follow["second"][0] + 0.2
    plain = train_internalizer(z, towards, groups[:200], InternalizerConfig(epochs=2))
    same = train_internalizer(z, towards, groups[:200], InternalizerConfig(epochs=2), np.full(200, 3.0, np.float32))
    assert np.allclose(plain.internalizer.w2, same.internalizer.w2, atol=1e-5)  # only ratios count
    with pytest.raises(InputError, match="one weight above 0"):
        train_internalizer(z, towards, groups[:200], config, np.zeros(200, np.float32))


def test_nearness_compares_views_and_doing_nothing() -> None:
    z, net = unit(150), random_internalizer()
    near = nearness(net, z, net(z))
    assert near.cosine == pytest.approx(1, abs=1e-5)
    assert near.recall == 1
    assert near.raw_cosine == pytest.approx(np.einsum("nm,nm->n", z, net(z)).mean(), abs=1e-6)
    assert nearness(net, z, unit(150, seed=5)).recall < 0.1


def test_internalizers_go_through_a_folder_of_any_views(tmp_path: Path) -> None:
    nets = {"zebra": random_internalizer(), "qa": random_internalizer(form="paper", seed=1)}
    save_internalizers(nets, tmp_path / "x", {"name": "e"}, {"lessons": 3}, {"qa": {"cosine": 0.5}})
    stored = load_internalizers(tmp_path / "x")
    assert list(stored.internalizers) == ["qa", "zebra"]
    assert (stored.encoder, stored.provenance["lessons"]) == ({"name": "e"}, 3)
    z = unit(4)
    for name, net in nets.items():
        assert stored.internalizers[name].form == net.form
        assert np.allclose(stored.internalizers[name](z), net(z), atol=2e-3)  # weights are kept in half precision
    config = json.loads((tmp_path / "x" / "config.json").read_text())
    for change, words in (
        ({"format_version": 9}, "format version 9"),
        ({"format": "other"}, "not the configuration of internalizers"),
        ({"internalizers": {"no such": {"form": "paper"}}}, "cannot name a view"),
        ({"internalizers": {"pony": {"form": "paper"}}}, "pony.w1"),
        ({"encoder": None}, "'encoder' is missing"),
    ):
        (tmp_path / "x" / "config.json").write_text(json.dumps(sealed({**config, **change})))
        with pytest.raises(DamagedError, match=words):
            load_internalizers(tmp_path / "x")
    (tmp_path / "x" / "config.json").write_text(json.dumps(config))
    with (tmp_path / "x" / "internalizers.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DamagedError, match=r"differs from what config\.json promises"):
        load_internalizers(tmp_path / "x")
    with pytest.raises(InputError, match="does not contain internalizers"):
        load_internalizers(tmp_path / "none")
