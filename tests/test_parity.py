"""The same as the libraries themselves: their classes load and write, their trainers step. See `make parity`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import random_sae
from test_sae_formats import X, forms

from xetrieval.sae import SparseAutoencoder
from xetrieval.sae.formats import FORMATS
from xetrieval.sae.train import SaeConfig
from xetrieval.sae.train.trainer import Trainer

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = torch.from_numpy(X.astype(np.float32))


def library(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason="the peers are not installed; make parity installs and compares")


def agree(codes: Any, sae: SparseAutoencoder) -> None:
    ours = sae.encode(X.astype(np.float32)).dense(sae.features)
    assert np.allclose(codes.detach().numpy(), ours, atol=3e-6)
    assert (ours > 0).sum() > 300


@pytest.mark.parametrize("form", forms())
def test_dictionary_learning_loads_what_we_write(tmp_path: Path, form: str) -> None:
    utils = library("dictionary_learning.utils")
    sae = forms()[form]
    FORMATS["dictionary-learning"].write(sae, tmp_path / "d")
    theirs, _ = utils.load_dictionary(str(tmp_path / "d"), device="cpu")
    agree(theirs.encode(ROWS), sae)
    assert np.allclose(theirs(ROWS).detach().numpy(), sae.decode(sae.encode(X.astype(np.float32))), atol=3e-5)


NAMES = ("AutoEncoder", "AutoEncoderNew", "AutoEncoderTopK", "BatchTopKSAE", "GatedAutoEncoder", "JumpReluAutoEncoder")


def theirs_of_dictionary_learning(name: str) -> Any:
    dictionary = library("dictionary_learning.dictionary")
    top, batch = library("dictionary_learning.trainers.top_k"), library("dictionary_learning.trainers.batch_top_k")
    torch.manual_seed(0)
    if name == "AutoEncoderTopK":
        made = top.AutoEncoderTopK(64, 128, 9)
    elif name == "BatchTopKSAE":
        made = batch.BatchTopKSAE(64, 128, 9)
        made.threshold.fill_(0.07)
    else:
        made = getattr(dictionary, name)(64, 128)
    with torch.no_grad():
        for parameter_name, parameter in made.named_parameters():
            if parameter.ndim == 1:
                parameter.normal_(0, 0.05)
            if parameter_name == "threshold":
                parameter.uniform_(0.01, 0.2)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_we_read_what_dictionary_learning_writes(tmp_path: Path, name: str) -> None:
    theirs = theirs_of_dictionary_learning(name)
    torch.save(theirs.state_dict(), tmp_path / "ae.pt")
    (tmp_path / "config.json").write_text(f'{{"trainer": {{"dict_class": "{name}", "k": 9}}}}')
    agree(theirs.encode(ROWS), FORMATS["dictionary-learning"].read(tmp_path))


def test_we_read_the_matryoshka_of_dictionary_learning(tmp_path: Path) -> None:
    module = library("dictionary_learning.trainers.matryoshka_batch_top_k")
    torch.manual_seed(0)
    theirs = module.MatryoshkaBatchTopKSAE(64, 128, 9, [32, 96])
    theirs.threshold.fill_(0.07)
    torch.save(theirs.state_dict(), tmp_path / "ae.pt")
    (tmp_path / "config.json").write_text('{"trainer": {"dict_class": "MatryoshkaBatchTopKSAE", "k": 9}}')
    agree(theirs.encode(ROWS), FORMATS["dictionary-learning"].read(tmp_path))


def test_the_release_is_a_topk_of_dictionary_learning(tmp_path: Path) -> None:
    top = library("dictionary_learning.trainers.top_k")
    sae = random_sae(k=9)
    FORMATS["release"].write(sae, tmp_path / "sae_model.pt")
    theirs = top.AutoEncoderTopK.from_pretrained(str(tmp_path / "sae_model.pt"), k=9)
    agree(theirs.encode(ROWS), sae)


@pytest.mark.parametrize("form", forms())
def test_saelens_loads_what_we_write_and_we_read_what_it_writes(tmp_path: Path, form: str) -> None:
    sae = forms()[form]
    FORMATS["saelens"].write(sae, tmp_path / "s")
    theirs = library("sae_lens").SAE.load_from_disk(str(tmp_path / "s"))
    agree(theirs.encode(ROWS), sae)
    assert np.allclose(theirs(ROWS).detach().numpy(), sae.decode(sae.encode(X.astype(np.float32))), atol=3e-5)
    theirs.save_model(str(tmp_path / "again"))
    agree(theirs.encode(ROWS), FORMATS["saelens"].read(tmp_path / "again"))


def test_a_gated_and_a_rescaled_saelens_are_read(tmp_path: Path) -> None:
    gated = library("sae_lens.saes.gated_sae")
    torch.manual_seed(0)
    theirs = gated.GatedSAE(gated.GatedSAEConfig(d_in=64, d_sae=128))
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0, 0.1)
    theirs.save_model(str(tmp_path / "gated"))
    agree(theirs.encode(ROWS), FORMATS["saelens"].read(tmp_path / "gated"))
    top = library("sae_lens.saes.topk_sae")
    rescaled = top.TopKSAE(top.TopKSAEConfig(d_in=64, d_sae=128, k=9, rescale_acts_by_decoder_norm=True))
    with torch.no_grad():
        for parameter in rescaled.parameters():
            parameter.normal_(0, 0.1)
    rescaled.save_model(str(tmp_path / "top"))
    agree(rescaled.encode(ROWS), FORMATS["saelens"].read(tmp_path / "top"))


def test_sparsify_loads_what_we_write_and_we_read_what_it_writes(tmp_path: Path) -> None:
    sae = random_sae(k=9)
    FORMATS["sparsify"].write(sae, tmp_path / "s")
    theirs = library("sparsify").SparseCoder.load_from_disk(tmp_path / "s")
    values, ids, _ = theirs.encode(ROWS)
    dense = torch.zeros(len(ROWS), 128).scatter_(1, ids, values)
    agree(dense, sae)
    theirs.save_to_disk(tmp_path / "again")
    agree(dense, FORMATS["sparsify"].read(tmp_path / "again"))


@pytest.mark.parametrize("batch_top_k", [False, True])
def test_training_follows_dictionary_learning_step_by_step(batch_top_k: bool) -> None:
    library("dictionary_learning")
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
    arms = pytest.importorskip("sae_arms")
    shape = arms.Shape(64, 256, 8, 128)
    x = arms.vectors(shape, 1024)
    name = "batchtopk" if batch_top_k else "topk"
    one, other = arms.ours(shape, x, name), arms.dictionary_learning(shape, x, batch_top_k=batch_top_k)
    for first in range(0, 1024, 128):
        rows = torch.from_numpy(x[first : first + 128])
        assert one.step(rows) == pytest.approx(other.step(rows), rel=1e-4)


def our_trainer(x: np.ndarray, variant: str, w: dict[str, Any], coefficient: float = 0.05) -> Trainer:
    config = SaeConfig(features=128, l0=9, variant=variant, penalty=coefficient, dead_after=10_000)
    trainer = Trainer(config, x, 10_000)
    for name, value in w.items():
        trainer.w[name].copy_(value)
    return trainer


def caught(trainer: Trainer, x: Any) -> dict[str, Any]:
    """The gradients of one step, which is not taken."""
    seen: dict[str, Any] = {}
    trainer._descend = lambda grads, schedule: seen.update({k: v.clone() for k, v in grads.items()})  # type: ignore
    trainer.step(x)
    return seen


def equal_gradients(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for name, expected in theirs.items():
        assert expected.abs().max() > 1e-6, f"{name} has a gradient to compare"
        assert torch.allclose(ours[name], expected, rtol=0, atol=2e-5 * float(expected.abs().max())), name


NONE: dict[str, Any] = {
    "steps": 10_000, "activation_dim": 64, "dict_size": 128, "layer": 0, "lm_name": "none",
    "warmup_steps": 0, "sparsity_warmup_steps": None, "device": "cpu",
}  # fmt: skip


@pytest.mark.parametrize("name", ["relu", "p-anneal"])
def test_the_gradients_of_relu_and_p_anneal_are_those_of_dictionary_learning(name: str) -> None:
    """P-Anneal at its start, p = 1: at the smallest p the two differ on purpose (see `configs.variants`)."""
    if name == "relu":
        trainer = library("dictionary_learning.trainers.standard").StandardTrainer(**NONE, l1_penalty=0.05)
    else:
        make = library("dictionary_learning.trainers.p_anneal").PAnnealTrainer
        trainer = make(**NONE, initial_sparsity_penalty=0.05, sparsity_function="Lp^p")
    ae, x = trainer.ae, ROWS[:128]
    with torch.no_grad():
        ae.decoder.weight /= ae.decoder.weight.norm(dim=0, keepdim=True)
        ae.bias.normal_(0, 0.02)
    trainer.loss(x, step=5_000).backward()
    w = {"We": ae.encoder.weight, "be": ae.encoder.bias, "Wd": ae.decoder.weight.T, "bd": ae.bias}
    expected = {key: value.grad if key != "Wd" else ae.decoder.weight.grad.T for key, value in w.items()}
    ours = our_trainer(x.numpy(), name, {key: value.detach() for key, value in w.items()})
    equal_gradients(caught(ours, x), expected)


@pytest.mark.parametrize("name", ["gated", "gated-anneal"])
def test_the_gradients_of_the_gated_are_those_of_dictionary_learning(name: str) -> None:
    if name == "gated":
        trainer = library("dictionary_learning.trainers.gdm").GatedSAETrainer(**NONE, l1_penalty=0.05)
    else:
        make = library("dictionary_learning.trainers.gated_anneal").GatedAnnealTrainer
        trainer = make(**NONE, initial_sparsity_penalty=0.05, sparsity_function="Lp^p")
    ae, x = trainer.ae, ROWS[:128]
    with torch.no_grad():
        for parameter in (ae.r_mag, ae.gate_bias, ae.mag_bias, ae.decoder_bias):
            parameter.normal_(0, 0.05)
    loss = trainer.loss(x, step=5_000)
    loss.backward()
    w = {
        "We": ae.encoder.weight, "be": ae.gate_bias, "Wd": ae.decoder.weight.T, "bd": ae.decoder_bias,
        "r": ae.r_mag, "bm": ae.mag_bias,
    }  # fmt: skip
    expected = {key: value.grad if key != "Wd" else ae.decoder.weight.grad.T for key, value in w.items()}
    # In their letters the size is e^r u + b_mag; in ours e^r (z - b_e) + b_m: the same, b_e enters the gate alone.
    ours = our_trainer(x.numpy(), name, {key: value.detach() for key, value in w.items()})
    equal_gradients(caught(ours, x), expected)


def test_the_reconstruction_gradients_of_jumprelu_are_those_of_dictionary_learning() -> None:
    """Its penalty and its missing input bias differ on purpose; what is left agrees, the window of theta included."""
    make = library("dictionary_learning.trainers.jumprelu").JumpReluTrainer
    trainer = make(**NONE, sparsity_penalty=0.0, bandwidth=0.1)
    ae, x = trainer.ae, ROWS[:128]
    with torch.no_grad():
        ae.threshold.uniform_(0.05, 0.2)
        ae.b_enc.normal_(0, 0.05)
    trainer.loss(x, step=5_000).backward()
    w = {"We": ae.W_enc.T, "be": ae.b_enc, "Wd": ae.W_dec, "theta": ae.threshold, "bd": ae.b_dec}
    ours = our_trainer(x.numpy(), "jumprelu", {key: value.detach() for key, value in w.items()}, coefficient=0.0)
    ours.architecture.width = 0.1
    grads = caught(ours, x)
    theirs = {"We": ae.W_enc.grad.T, "be": ae.b_enc.grad, "Wd": ae.W_dec.grad, "theta": ae.threshold.grad}
    equal_gradients(grads, theirs)
