"""Builds an explainer from the paper's released files: sae_model.pt, model_ASPECT.pt, a text file of labels."""

from __future__ import annotations

from pathlib import Path

from .encoders import Encoder
from .errors import InputError, MismatchError
from .explain import Explainer
from .features import Feature
from .files import path_of, read_text, sha256_of_file
from .internalizer import read_release_internalizer
from .sae import read_release_sae
from .views import ASPECTS


def import_release(
    sae: str | Path,
    internalizers: str | Path,
    encoder: Encoder,
    labels: str | Path | None = None,
    name: str = "release",
) -> Explainer:
    """An explainer from the release's files.

    Args:
        sae: sae_model.pt. internalizers: the folder of model_qa.pt, model_summary.pt and model_purpose.pt.
        labels: line i names feature i; an empty line leaves it unnamed.
    Raises:
        InputError: a file is absent. DamagedError: a file has an unexpected layout.
        MismatchError: the dimensions, or the numbers of labels and features, differ.
    """
    folder, sae_path = path_of(internalizers), path_of(sae)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of internalizers")
    autoencoder = read_release_sae(sae_path)
    names = _labels(path_of(labels), autoencoder.features) if labels is not None else [None] * autoencoder.features
    paths = {aspect: folder / f"model_{aspect}.pt" for aspect in ASPECTS}
    return Explainer(
        name=name,
        encoder_identity=encoder.identity,
        sae=autoencoder,
        internalizers={aspect: read_release_internalizer(path) for aspect, path in paths.items()},
        features=tuple(Feature(index, label, "release" if label else None, 0.0) for index, label in enumerate(names)),
        provenance={
            "imported": "the paper's release layout (arXiv 2605.29507)",
            "sae_sha256": sha256_of_file(sae_path),
            **{f"{aspect}_sha256": sha256_of_file(path) for aspect, path in paths.items()},
        },
    )


def _labels(path: Path, features: int) -> list[str | None]:
    lines = read_text(path).splitlines()
    if len(lines) != features:
        raise MismatchError(f"{path}: {len(lines)} labels for {features} features; line i names feature i")
    return [line.strip() or None for line in lines]
