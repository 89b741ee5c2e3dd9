"""The sparse step has the gradients of the dense form, written down again here the plain way for autograd."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_data import planted

from xetrieval.configs.variants import VARIANTS
from xetrieval.sae.kernels import Pattern, kernels_for
from xetrieval.sae.train import SaeConfig
from xetrieval.sae.train.architectures import SMALLEST, Jumping
from xetrieval.sae.train.dead import teach_dead
from xetrieval.sae.train.trainer import Trainer

F, N, STEPS = 96, 256, 100


class Step(torch.autograd.Function):
    """H(z - theta), and z H(z - theta), with the straight-through gradients of the JumpReLU paper."""

    @staticmethod
    def forward(ctx: Any, z: Any, theta: Any, width: float, jump: bool) -> Any:
        ctx.save_for_backward(z, theta)
        ctx.width, ctx.jump = width, jump
        on = (z > theta).float()
        return z * on if jump else on

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        z, theta = ctx.saved_tensors
        window = (((z - theta) / ctx.width).abs() < 0.5).float() / ctx.width
        dtheta = -(grad * window * (theta if ctx.jump else 1.0)).sum(0)
        return (grad * (z > theta) if ctx.jump else torch.zeros_like(z)), dtheta, None, None


def top(z: Any, k: int, whole_batch: bool) -> Any:
    kept = z.flatten().topk(k * len(z)).indices if whole_batch else None
    if kept is not None:
        mask = torch.zeros(z.numel()).index_fill_(0, kept, 1.0).view_as(z)
    else:
        mask = torch.zeros_like(z).scatter_(1, z.topk(k, dim=1).indices, 1.0)
    return torch.relu(z) * mask


def dense_loss(trainer: Trainer, w: dict[str, Any], x: Any, power: float) -> Any:
    config, kind = trainer.config, trainer.config.kind
    z = (x - w["bd"]) @ w["We"].T + w["be"]
    coefficient = trainer.control.coefficient
    loss = torch.zeros(())
    sparse = lambda f: coefficient * ((f + SMALLEST) ** power - SMALLEST**power).sum(1).mean()  # noqa: E731
    if kind.architecture == "relu":
        f = torch.relu(z)
        loss = sparse(f)
    elif kind.architecture == "gated":
        u = (x - w["bd"]) @ w["We"].T
        f = (z > 0).float() * torch.relu(w["r"].exp() * u + w["bm"])
        gate = torch.relu(z)
        loss = sparse(gate) + ((x - gate @ w["Wd"].detach() - w["bd"].detach()) ** 2).sum(1).mean()
    elif kind.architecture == "jumprelu":
        width = trainer.architecture.width
        f = Step.apply(z, w["theta"], width, True)
        loss = coefficient * Step.apply(z, w["theta"], width, False).sum(1).mean()
    else:
        f = top(z, config.k, kind.architecture == "batchtopk")
    ends = [max(1, round(part * F)) for part in config.nested] if kind.nested else [F]
    for end in ends:
        loss = loss + ((x - f[:, :end] @ w["Wd"][:end] - w["bd"]) ** 2).sum(1).mean() / len(ends)
    return loss


def caught(trainer: Trainer, x: Any) -> dict[str, Any]:
    """The gradients of one step, which is not taken."""
    seen: dict[str, Any] = {}
    trainer._descend = lambda grads, schedule: seen.update({k: v.clone() for k, v in grads.items()})  # type: ignore
    trainer.step(x)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("device_kernels", [False, True])
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("done", [0, 60])  # p has been annealed by then
def test_the_sparse_step_has_the_gradients_of_the_dense_form(name: str, done: int, device_kernels: bool) -> None:
    x = planted(N)
    trainer = Trainer(SaeConfig(features=F, l0=5, variant=name, aux_alpha=0.0), x, STEPS)
    if device_kernels:
        trainer.kernels = kernels_for("another device")
    for _ in range(5):
        trainer.step(torch.from_numpy(x))  # away from the symmetries of the first weights
    trainer.done = done
    if trainer.control.coefficient:
        trainer.control.coefficient = 0.05
    w = {key: value.clone().requires_grad_() for key, value in trainer.w.items()}
    dense_loss(trainer, w, torch.from_numpy(x), trainer.config.power(done / STEPS)).backward()
    sparse = caught(trainer, torch.from_numpy(x))
    assert set(sparse) == set(w)
    for key, gradient in sparse.items():
        assert w[key].grad.abs().max() > 1e-6, f"{key} has a gradient to compare"
        assert torch.allclose(gradient, w[key].grad, rtol=0, atol=1e-5 * float(w[key].grad.abs().max())), key


def test_the_window_of_a_threshold_counts_on_both_sides() -> None:
    x = planted(N)
    trainer = Trainer(SaeConfig(features=F, l0=5, variant="jumprelu"), x, STEPS)
    assert isinstance(trainer.architecture, Jumping)
    _, entries = trainer._entries(torch.from_numpy(x) - trainer.w["bd"])
    theta = trainer.w["theta"][entries.columns]
    inside = (entries.z - theta).abs() < trainer.architecture.width / 2
    below = inside & (entries.z <= theta)
    assert 0.3 < float(below.sum() / inside.sum()) < 0.7


def test_the_auxiliary_loss_has_the_gradients_of_the_dense_form() -> None:
    x = torch.from_numpy(planted(N))
    trainer = Trainer(SaeConfig(features=F, l0=5), x.numpy(), STEPS)
    dead = torch.arange(0, 40, 2)
    centred, error = x - trainer.w["bd"], 0.3 * torch.randn(N, x.shape[1], generator=torch.Generator().manual_seed(0))
    w = {key: value.clone().requires_grad_() for key, value in trainer.w.items()}
    z = torch.relu(centred @ w["We"][dead].T + w["be"][dead])
    width = min(len(dead), x.shape[1] // 2)
    f = torch.zeros_like(z).scatter_(1, z.topk(width, dim=1).indices, 1.0) * z
    scale = ((x - x.mean(0)) ** 2).sum() / ((error - error.mean(0)) ** 2).sum()
    (scale / 32 * ((error - f @ w["Wd"][dead]) ** 2).sum(1).mean()).backward()
    grads = {key: torch.zeros_like(value) for key, value in trainer.w.items()}
    teach_dead(trainer.w, grads, dead, centred, error, 1 / 32, tile=100)
    for key in ("We", "be", "Wd"):
        assert torch.allclose(grads[key], w[key].grad, rtol=0, atol=1e-5 * float(w[key].grad.abs().max())), key
        assert not grads[key][1:40:2].any(), "living features learn nothing from it"


def test_compiled_loops_and_plain_torch_agree_on_every_product() -> None:
    rng = np.random.default_rng(0)
    compiled, plain = kernels_for("cpu"), kernels_for("another device")
    scores = torch.from_numpy(rng.standard_normal((37, 130)).astype(np.float32))
    bounds = torch.from_numpy(rng.uniform(0.5, 2, 130).astype(np.float32))
    for one, other in zip(compiled.above(scores, bounds), plain.above(scores, bounds), strict=True):
        assert torch.equal(one, other)
    for k in (1, 7, 64, 130):
        (ids, values), (_, others) = compiled.top_k(scores, k), plain.top_k(scores, k)
        assert torch.equal(values.sort(1).values, others.sort(1).values)
        assert torch.equal(torch.gather(scores, 1, ids.long()), values)
    counts, columns, values = compiled.above(scores, bounds)
    pattern = Pattern(compiled.starts(counts), columns)
    W = torch.from_numpy(rng.standard_normal((130, 19)).astype(np.float32))
    x = torch.from_numpy(rng.standard_normal((37, 19)).astype(np.float32))
    dense = torch.zeros(37, 130).index_put((torch.repeat_interleave(counts), columns.long()), values)
    for kernels in (compiled, plain):
        error, pulls = kernels.decode_and_pull(pattern, values, W, x, -2.0)
        assert torch.allclose(error, x - dense @ W, atol=1e-5)
        assert torch.allclose(error, kernels.decode(pattern, values, W, x), atol=1e-6)
        assert torch.allclose(pulls, -2.0 * (error @ W.T)[dense != 0], atol=1e-4)
        assert torch.allclose(pulls, kernels.pull(pattern, W, error, -2.0), atol=1e-5)
        by_feature = kernels.by_feature(pattern, 130)
        out = torch.full((130, 19), 9.0)
        kernels.gather(by_feature, values, x, 0.5, out, 10, 120)
        assert torch.allclose(out[10:120], 0.5 * (dense.T @ x)[10:120], atol=1e-5)
        assert (out[:10] == 9).all()
        assert (out[120:] == 9).all(), "other features are left alone"
        assert torch.allclose(kernels.sums(by_feature, values), dense.sum(0), atol=1e-5)
        unit = W / W.norm(dim=1, keepdim=True)
        gradient = W.flip(0).clone()
        square = kernels.tangent(gradient, unit)
        assert float((gradient * unit).sum(1).abs().max()) < 1e-5
        assert square == pytest.approx(float((gradient**2).sum()), rel=1e-5)
        assert kernels.kth_largest(values, 5) == float(values.sort(descending=True).values[4])


PRODUCTS = """
import hashlib, numpy as np, torch
from xetrieval.sae.kernels import Pattern, kernels_for
k, rng = kernels_for("cpu"), np.random.default_rng(0)
S, W, x = (torch.from_numpy(rng.standard_normal(s).astype(np.float32)) for s in ((512, 96), (96, 48), (512, 48)))
ids, values = k.top_k(S, 6)
pattern, out = Pattern(torch.arange(0, ids.numel() + 1, 6), ids.flatten()), torch.empty(96, 48)
found = [*k.decode_and_pull(pattern, values.flatten(), W, x, -2.0), k.pull(pattern, W, x, 1.0)]
by_feature = k.by_feature(pattern, 96)
k.gather(by_feature, values.flatten(), x, 0.5, out, 0, 96)
k.tangent(out, W / W.norm(dim=1, keepdim=True))
found += [out, k.sums(by_feature, values.flatten())]
print(hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in found)).hexdigest())
"""


@pytest.mark.slow
def test_loops_from_the_cache_add_in_the_order_of_loops_just_compiled(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", PRODUCTS], capture_output=True, text=True, env=environment, timeout=300)
        for _ in range(2)
    ]
    assert runs[0].returncode == 0, runs[0].stderr
    assert list(tmp_path.rglob("*.nbc")), "the first run filled the cache"
    assert runs[0].stdout == runs[1].stdout
