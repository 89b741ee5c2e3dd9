"""How the paper's release finds shared features, in PyTorch from its description, to compare its speed with ours.

Dense codes [n, F] of the query and of every view, a Python set of the active ids of each row, set intersections of each
view, their sorted union. It gives ids alone; ours give the same ids with activations and shares.
"""

from __future__ import annotations

from typing import Any

from xetrieval.explain import Explainer
from xetrieval.extras import require

Sets = list[set[int]]


class ReleaseWay:
    """The release's method with the weights of an explainer.

    Raises:
        InputError: thresholds instead of k. MissingExtra: torch is not installed.
    """

    def __init__(self, explainer: Explainer) -> None:
        self.torch: Any = require("torch", "train")
        sae = explainer.sae
        self.k = sae.k or sae.features
        self.encoder, self.bias, self.centre = (
            self.torch.from_numpy(a) for a in (sae.encoder_weight, sae.encoder_bias, sae.decoder_bias)
        )
        self.nets = [
            tuple(self.torch.from_numpy(part) for part in (net.w1, net.b1, net.w2, net.b2))
            for net in explainer.internalizers.values()
        ]

    def encode(self, x: Any) -> Any:
        """Dense codes [n, F]."""
        with self.torch.inference_mode():
            scores = self.torch.relu((self.torch.as_tensor(x) - self.centre) @ self.encoder.T + self.bias)
            values, places = scores.topk(self.k, dim=-1)
            return self.torch.zeros_like(scores).scatter_(-1, places, values)

    def views(self, z: Any) -> list[Any]:
        """z and R_t(z), each [n, m]."""
        with self.torch.inference_mode():
            z = self.torch.as_tensor(z)
            made = [self.torch.tanh(z @ w1.T + b1) @ w2.T + b2 for w1, b1, w2, b2 in self.nets]
            return [z, *(self.torch.nn.functional.normalize(view, dim=-1) for view in made)]

    def active(self, codes: Any) -> Sets:
        """The active ids of each row."""
        return [set(row.nonzero().flatten().tolist()) for row in codes > 0]

    def shared(self, queries: Sets, views: list[Sets]) -> list[dict[str, Any]]:
        """{"shared": sorted ids, "per_view": the same of each view} of query i and document i."""
        out = []
        for in_query, *in_views in zip(queries, *views, strict=True):
            per_view = [sorted(in_query & in_view) for in_view in in_views]
            out.append({"shared": sorted(set().union(*per_view)), "per_view": per_view})
        return out

    def explain(self, q: Any, z: Any) -> list[dict[str, Any]]:
        """The whole computation, from vectors [n, m]."""
        return self.shared(self.active(self.encode(q)), [self.active(self.encode(view)) for view in self.views(z)])
