"""One training step on vectors, sparse after the scores (paper, section 3; Gao et al. 2024).

    L = mean_i || x_i - W f_i - b ||^2 + lambda Omega(f) + auxiliary loss,   f = g(x)

The zeros of f have no gradient, so nothing of size [batch, F] is built beyond one tile of scores: everything else is
computed on the pattern of the entries that matter. Scores cost 2 m F per row and the rest 8 m L0; dense autograd would
cost 12 m F.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...arrays import Float32, l2norm
from ...configs import SaeConfig
from ...errors import DivergedError
from ..kernels import ByFeature, Kernels, Pattern, kernels_for
from ..model import SparseAutoencoder
from .architectures import Entries, Gated, Jumping, Sparsity, architecture
from .config import SaeStep
from .control import PenaltyControl
from .dead import Silence, resample, teach_dead
from .initial import initial_weights
from .scaling import Scaling
from .scores import score_entries

if TYPE_CHECKING:
    from torch import Tensor

CLIP = 1.0  # the largest norm of the gradient over all parameters
LAST_RESAMPLING = 0.75
FIRST_PENALTY = {"lp": 0.1, "l0": 1e-3}  # near their final values on embeddings; far smaller ones let L0 explode


class Reconstruction(NamedTuple):
    """The errors of a batch, and which features learn from which."""

    error: Tensor  # x - x^ with all features [n, m]
    pulls: Tensor  # d loss / d f of each entry
    sources: list[tuple[int, int, Tensor]]  # (first, last, error): features first .. last - 1 learn from error [n, m]


class Trainer:
    """Weights, optimiser, counts of silent steps, penalty: everything that changes during training.

    Args:
        sample: rows of the training space [n, m], for the initial weights.
        steps: of the whole training run.
    """

    def __init__(self, config: SaeConfig, sample: Float32, steps: int) -> None:
        self.config, self.steps, self.done = config, steps, 0
        self.kernels: Kernels = kernels_for(config.device)
        self.torch: ModuleType = self.kernels.torch
        self.architecture = architecture(config.kind.architecture)
        self.w = initial_weights(self.kernels, config, sample)
        self._further(sample)
        self.optimiser = self.torch.optim.Adam(list(self.w.values()), lr=config.rate, fused=True)
        self.silence = Silence(self.torch, config.features, config.dead_steps(steps), config.device)
        target = config.l0 if config.penalty is None else None
        self.control = PenaltyControl(self._first_penalty(), target)
        self.guess = math.nan  # batchtopk: the threshold of the last batch
        self.resampled = 0

    def begin_with(self, sae: SparseAutoencoder, scaling: Scaling) -> None:
        """Start with the features of `sae` as the first ones; the others start on data points, as usual."""
        few = sae.features
        with np.errstate(invalid="ignore"):
            first = {
                "We": sae.encoder_weight,
                "be": sae.encoder_bias * scaling.forth,
                "Wd": l2norm(sae.directions),
                "bd": (sae.decoder_bias - scaling.mean) * scaling.forth,
            }
        for name, values in first.items():
            part = self.w[name] if name == "bd" else self.w[name][:few]
            part.copy_(self.torch.from_numpy(np.asarray(values, np.float32)))

    def step(self, x: Tensor) -> SaeStep:
        """Learn from one batch of the training space, [n, m] on the device.

        Raises:
            DivergedError: the error or the gradient is no longer finite.
        """
        config, n = self.config, len(x)
        done = self.done / self.steps
        centred = x - self.w["bd"]
        pattern, entries = self._entries(centred)
        f = self.architecture.activate(self.w, entries)
        made = self._reconstruct(pattern, f, centred)
        squared = self._finite("error", float((made.error**2).sum()))
        by_feature = self.kernels.by_feature(pattern, config.features)
        self.silence.update(self.kernels.sums(by_feature, f) > 0)
        l0 = float((f > 0).sum()) / n
        grads = self._gradients(pattern, entries, f, made, by_feature, centred, done)
        if len(self.silence.dead) and config.aux_alpha:
            tile = self.kernels.tile_rows(config.features)
            teach_dead(self.w, grads, self.silence.dead, centred, made.error, config.aux_alpha, tile)
        self._descend(grads, config.schedule(done))
        if self._penalised:
            self._drive(l0, f, done, n)
        self.done += 1
        self._resample_if_due(centred, made.error)
        spread = float(((x - x.mean(0)) ** 2).sum())
        dead = len(self.silence.dead)
        return SaeStep(
            self.done, self.steps, squared / n, squared / max(spread, 1e-12), l0, dead, self.control.coefficient
        )

    def held_out(self, rows: Float32) -> tuple[float, float]:
        """FVU and L0 of rows [n, m] of the training space, with the current weights."""
        x = self.torch.from_numpy(rows).to(self.config.device)
        centred = x - self.w["bd"]
        guess = self.guess
        pattern, entries = self._entries(centred)
        self.guess = guess  # measuring must not change anything
        f = self.architecture.activate(self.w, entries)
        error = self.kernels.decode(pattern, f, self.w["Wd"], centred)
        return float((error**2).sum() / ((x - x.mean(0)) ** 2).sum()), float((f > 0).sum()) / len(x)

    def weights(self, of: Mapping[str, Tensor] | None = None) -> dict[str, Float32]:
        """A copy of the parameters, or of earlier ones, by name.

        Raises:
            DivergedError: one of them is no longer finite.
        """
        copies = {name: tensor.detach().cpu().numpy().copy() for name, tensor in (of or self.w).items()}
        if not all(np.isfinite(array).all() for array in copies.values()):
            raise self.diverged("a weight is")
        return copies

    def diverged(self, what: str) -> DivergedError:
        """The error to raise when numbers are no longer finite."""
        return DivergedError(
            f"training diverged at step {self.done} of {self.steps}: {what} no longer finite; lower the learning rate "
            f"(it was {self.config.rate:g})" + (", or the penalty" if self.config.penalty else "")
        )

    def _finite(self, what: str, squared: float) -> float:
        if not math.isfinite(squared):
            raise self.diverged(f"the {what} is")
        return squared

    # ------------------------------------------------------------------ parts of a step

    def _entries(self, centred: Tensor) -> tuple[Pattern, Entries]:
        found = score_entries(self.kernels, self.config, self.architecture, self.w, centred, self.guess)
        self.guess = found.guess
        return found.pattern, Entries(found.z, found.pattern.columns, len(centred))

    def _reconstruct(self, pattern: Pattern, f: Tensor, centred: Tensor) -> Reconstruction:
        n, features = len(centred), self.config.features
        if not self.config.kind.nested:
            error, pulls = self.kernels.decode_and_pull(pattern, f, self.w["Wd"], centred, -2.0 / n)
            return Reconstruction(error, pulls, [(0, features, error)])
        # Matryoshka: the mean over prefixes. A feature learns from the errors of all prefixes that contain it.
        ends = [max(1, round(part * features)) for part in self.config.nested]
        bounds = list(zip([0, *ends[:-1]], ends, strict=True))
        chosen = [(pattern.columns >= first) & (pattern.columns < last) for first, last in bounds]
        parts = [(some, self.kernels.part(pattern, some)) for some in chosen]
        errors, rest = [], centred
        for some, part in parts:
            rest = self.kernels.decode(part, f[some], self.w["Wd"], rest)
            errors.append(rest)
        pulls, sources = self.torch.empty_like(f), []
        total = self.torch.zeros_like(rest)
        for (first, last), (some, part), error in reversed(list(zip(bounds, parts, errors, strict=True))):
            total = total + error / len(ends)
            pulls[some] = self.kernels.pull(part, self.w["Wd"], total, -2.0 / n)
            sources.append((first, last, total))
        return Reconstruction(rest, pulls, sources)

    def _gradients(
        self,
        pattern: Pattern,
        entries: Entries,
        f: Tensor,
        made: Reconstruction,
        by_feature: ByFeature,
        centred: Tensor,
        done: float,
    ) -> dict[str, Tensor]:
        kernels, w, n = self.kernels, self.w, len(centred)
        sparsity = Sparsity(self.control.coefficient if self._penalised else 0.0, self.config.power(done))
        if isinstance(self.architecture, Gated):
            _, gate_pulls = kernels.decode_and_pull(pattern, entries.z, w["Wd"], centred, -2.0 / n)
            through, own = self.architecture.backward(w, entries, made.pulls, sparsity, gate_pulls)
        else:
            through, own = self.architecture.backward(w, entries, made.pulls, sparsity)
        grads = {"We": self.torch.empty_like(w["We"]), "Wd": self.torch.empty_like(w["Wd"])}
        total = kernels.sums(by_feature, through)
        grads |= {name: total if one is through else kernels.sums(by_feature, one) for name, one in own.items()}
        kernels.gather(by_feature, through, centred, 1.0, grads["We"], 0, self.config.features)
        for first, last, error in made.sources:
            kernels.gather(by_feature, f, error, -2.0 / n, grads["Wd"], first, last)
        grads["bd"] = made.sources[-1][2].sum(0) * (-2.0 / n) - total @ w["We"]
        return grads

    def _descend(self, grads: dict[str, Tensor], schedule: float) -> None:
        squared = self.kernels.tangent(grads["Wd"], self.w["Wd"])  # directions stay on the unit sphere
        squared += sum(float((grad**2).sum()) for name, grad in grads.items() if name != "Wd")
        norm = math.sqrt(self._finite("gradient", squared))
        for name, parameter in self.w.items():
            parameter.grad = grads[name] if norm <= CLIP else grads[name].div_(norm / CLIP)
        self.optimiser.param_groups[0]["lr"] = self.config.rate * schedule
        self.optimiser.step()
        self.w["Wd"] /= self.w["Wd"].norm(dim=1, keepdim=True)
        if "theta" in self.w:
            self.w["theta"].clamp_min_(0.0)

    def _drive(self, l0: float, f: Tensor, done: float, n: int) -> None:
        self.control.update(l0)
        power, following = self.config.power(done), self.config.power((self.done + 1) / self.steps)
        if power != following:
            active = f[f > 0]
            self.control.rescale(float((active**power).sum()) / n, float((active**following).sum()) / n)

    def _resample_if_due(self, centred: Tensor, error: Tensor) -> None:
        every = self.config.resample_every
        if every is None or self.done > LAST_RESAMPLING * self.steps or self.done % max(1, int(every * self.steps)):
            return
        rng = np.random.default_rng([self.config.seed, self.done])
        counted = self.config.kind.architecture in ("topk", "batchtopk")
        self.resampled += resample(self.w, self.optimiser, self.silence, centred, error, rng, counted=counted)

    @property
    def _penalised(self) -> bool:
        return self.config.kind.penalty != "none"

    def _first_penalty(self) -> float:
        if not self._penalised:
            return 0.0
        if self.config.penalty is not None:
            return self.config.penalty
        return FIRST_PENALTY[self.config.kind.penalty]

    def _further(self, sample: Float32) -> None:
        if isinstance(self.architecture, Jumping):
            x = self.torch.from_numpy(sample[:2048]).to(self.config.device) - self.w["bd"]
            self.architecture.width = self.config.bandwidth * float((x @ self.w["We"].T).std())

    # ------------------------------------------------------------------ checkpoints

    def state(self) -> dict[str, Any]:
        """The complete state, from which a later process can resume exactly."""
        return {
            "w": self.w,
            "adam": self.optimiser.state_dict(),
            "silence": self.silence.steps,
            "control": (self.control.coefficient, self.control.error),
            "place": (self.done, self.resampled, self.guess),
            "width": self.architecture.width if isinstance(self.architecture, Jumping) else None,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Resume from a state."""
        for name, parameter in self.w.items():
            parameter.copy_(state["w"][name])
        self.optimiser.load_state_dict(state["adam"])
        self.silence.steps.copy_(state["silence"])
        self.control.coefficient, self.control.error = state["control"]
        self.done, self.resampled, self.guess = state["place"]
        if isinstance(self.architecture, Jumping):
            self.architecture.width = state["width"]
