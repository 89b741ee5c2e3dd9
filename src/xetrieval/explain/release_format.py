"""An explanation with the field names of the paper's release, which are used nowhere else."""

from __future__ import annotations

from typing import Any

from .explanation import Explanation, Term


def release_record(explanation: Explanation) -> dict[str, Any]:
    """The release's fields, plus the parts of the score."""
    return {
        "query_id": explanation.query_id,
        "doc_id": explanation.doc_id,
        "score": explanation.score,
        "bias": explanation.bias,
        "remainder": explanation.remainder,
        "explained": explanation.explained,
        "explained_without_bias": explanation.explained_without_bias,
        "shared_features": list(explanation.shared_features),
        "per_view_shared_features": {view: list(ids) for view, ids in explanation.per_view.items()},
        "feature_explanations": [_feature(term) for term in explanation.terms],
        "explainer": explanation.explainer,
        "encoder": explanation.encoder,
    }


def _feature(term: Term) -> dict[str, Any]:
    return {
        "feature_id": term.feature_id,
        "hypothesis": term.label,
        "share": term.share,
        "query_activation": term.query_activation,
        "view_activations": dict(term.view_activations),
    }
