"""One training step of each library on plain vectors: its own loss, projection, clipping, optimiser, unit norm."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from xetrieval.sae.train import SaeConfig
from xetrieval.sae.train.finish import finish
from xetrieval.sae.train.scaling import Scaling
from xetrieval.sae.train.trainer import Trainer

STEPS = 100_000  # schedules are flat in the few that are run


class Shape(NamedTuple):
    """A setting of the benchmark."""

    m: int
    features: int
    k: int
    batch: int


class Arm(NamedTuple):
    """What a library does with a batch: learn from it (the mean squared error before the step), or encode it."""

    step: Callable[[Any], float]
    encode: Callable[[Any], Any] | None = None


def vectors(shape: Shape, n: int, seed: int = 0) -> np.ndarray:
    """Unit rows: sparse mixtures of 4 m directions, and a little noise."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((4 * shape.m, shape.m)).astype(np.float32)
    rows = 0.02 * rng.standard_normal((n, shape.m)).astype(np.float32)
    for _ in range(24):
        rows += rng.exponential(size=(n, 1)).astype(np.float32) * directions[rng.integers(4 * shape.m, size=n)]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def first_weights(shape: Shape, x: np.ndarray) -> dict[str, torch.Tensor]:
    """The same for all: a random unit decoder, its transpose as encoder (dictionary_learning's), the data's mean."""
    generator = torch.Generator().manual_seed(0)
    Wd = torch.randn(shape.features, shape.m, generator=generator)
    Wd /= Wd.norm(dim=1, keepdim=True)
    return {"We": Wd.clone(), "be": torch.zeros(shape.features), "Wd": Wd, "bd": torch.from_numpy(x.mean(0))}


def ours(shape: Shape, x: np.ndarray, variant: str = "topk", scoring: str = "float32", device: str = "cpu") -> Arm:
    config = SaeConfig(
        features=shape.features,
        l0=shape.k,
        variant=variant,
        warmup=0.0,
        decay=0.0,
        learning_rate=rate(shape),
        scoring=scoring,  # type: ignore[arg-type]
        dead_after=STEPS,
        device=device,
    )
    trainer = Trainer(config, x[:2048], STEPS)
    for name, value in first_weights(shape, x).items():
        trainer.w[name].copy_(value)

    one = Scaling(np.zeros(shape.m), np.asarray(1.0), np.asarray(1.0))
    sae = finish(config, trainer.weights(), one, x[:2048])  # the first weights: encoding takes as long with any

    def encode(rows: Any) -> Any:
        return sae.encode(rows.numpy(), scoring=scoring)  # type: ignore[arg-type]

    return Arm(lambda rows: trainer.step(rows).loss, encode)


def dictionary_learning(shape: Shape, x: np.ndarray, *, batch_top_k: bool = False, device: str = "cpu") -> Arm:
    from dictionary_learning.trainers.batch_top_k import BatchTopKTrainer
    from dictionary_learning.trainers.top_k import TopKTrainer

    make = BatchTopKTrainer if batch_top_k else TopKTrainer
    trainer = make(
        steps=STEPS,
        activation_dim=shape.m,
        dict_size=shape.features,
        k=shape.k,
        layer=0,
        lm_name="none",
        warmup_steps=0,
        device=device,
    )
    w, ae = {name: value.to(device) for name, value in first_weights(shape, x).items()}, trainer.ae
    ae.encoder.weight.data, ae.decoder.weight.data = w["We"].clone(), w["Wd"].T.contiguous().clone()
    ae.b_dec.data = w["bd"].clone()
    count = [1]  # its step 0 would set the bias to the batch's median

    def step(rows: Any) -> float:
        loss = trainer.update(count[0], rows)
        count[0] += 1
        return float(loss)

    def encode(rows: Any) -> Any:
        with torch.no_grad():
            return ae.encode(rows)

    return Arm(step, encode)


def sparsify(shape: Shape, x: np.ndarray, *, device: str = "cpu", own_precision: bool = True) -> Arm:
    """SparseCoder with Adam; its own loss is FVU, so the gradient differs from ours by the batch's variance.

    Args:
        own_precision: on a GPU its forward pass is in bfloat16; False leaves that out.
    """
    from sparsify import SparseCoder, SparseCoderConfig

    coder = SparseCoder(shape.m, SparseCoderConfig(num_latents=shape.features, k=shape.k), device=device)
    w = {name: value.to(device) for name, value in first_weights(shape, x).items()}
    forward = coder if own_precision else SparseCoder.forward.__wrapped__.__get__(coder)
    coder.encoder.weight.data, coder.W_dec.data, coder.b_dec.data = w["We"].clone(), w["Wd"].clone(), w["bd"].clone()
    optimiser = torch.optim.Adam(coder.parameters(), lr=rate(shape))

    def step(rows: Any) -> float:
        out = forward(rows)
        out.fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        torch.nn.utils.clip_grad_norm_(coder.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        coder.set_decoder_norm_to_unit_norm()
        return float(out.fvu) * float(((rows - rows.mean(0)) ** 2).sum()) / len(rows)

    def encode(rows: Any) -> Any:
        with torch.no_grad():
            return coder.encode(rows)

    return Arm(step, encode)


def saelens(shape: Shape, x: np.ndarray) -> Arm:
    from sae_lens.saes.sae import TrainStepInput
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig

    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=shape.m, d_sae=shape.features, k=shape.k))
    w = first_weights(shape, x)
    sae.W_enc.data, sae.W_dec.data = w["We"].T.contiguous().clone(), w["Wd"].clone()
    sae.b_dec.data = w["bd"].clone()
    optimiser = torch.optim.Adam(sae.parameters(), lr=rate(shape))

    def step(rows: Any) -> float:
        given = TrainStepInput(
            sae_in=rows, dead_neuron_mask=None, coefficients={}, n_training_steps=1, is_logging_step=False
        )
        out = sae.training_forward_pass(given)
        out.loss.backward()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        return float(out.losses["mse_loss"])

    def encode(rows: Any) -> Any:
        with torch.no_grad():
            return sae.encode(rows)

    return Arm(step, encode)


def rate(shape: Shape) -> float:
    """The learning rate of dictionary_learning's TopK, for all."""
    return float(2e-4 / (shape.features / 2**14) ** 0.5)


def arms() -> dict[str, Callable[[Shape, np.ndarray], Arm]]:
    """By name; ours first."""
    warnings.simplefilter("ignore")
    return {
        "ours topk": ours,
        "ours batchtopk": lambda shape, x: ours(shape, x, "batchtopk"),
        "ours topk, bfloat16 scores": lambda shape, x: ours(shape, x, "topk", "bfloat16"),
        "dictionary_learning topk": dictionary_learning,
        "dictionary_learning batchtopk": lambda shape, x: dictionary_learning(shape, x, batch_top_k=True),
        "sparsify topk": sparsify,
        "SAELens topk": saelens,
    }
