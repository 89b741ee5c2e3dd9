"""An explainer as a folder a person can read.

config.json                 format version, encoder, shapes, what it was made from, figures, hash of each file
sae.safetensors             encoder.weight, encoder.bias, decoder.weight, b_dec (weights in half precision)
internalizers.safetensors   ASPECT.w1, ASPECT.b1, ASPECT.w2, ASPECT.b2
features.jsonl              id, label, source, frequency, ids of examples
README.md                   the model card
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..encoders import EncoderIdentity
from ..errors import DamagedError, InputError, MismatchError
from ..hypotheses import read_features, write_features
from ..internalizer import Internalizer
from ..sae import read_sae, write_sae
from ..store import half_precision, new_folder, read_arrays, sha256_of_file, write_arrays, write_text
from ..views import ASPECTS
from .card import model_card
from .model import Explainer

FORMAT: Final = "xetrieval-explainer"
VERSION: Final = 1
SHIPPED: Final = Path(__file__).resolve().parent.parent / "shipped"


def load(source: str | Path, encoder: Any = None, cache: Path | bool = True) -> Explainer:
    """The explainer that ships with the package ("minilm"), or the one in a folder.

    Args:
        encoder: another copy of its encoder, as `open_encoder` takes it; refused unless it is the same one.
        cache: where encoded texts are kept: True the user's cache folder, False nowhere, or a folder.
    Raises:
        InputError: no such explainer. DamagedError: a file was altered, is missing, or is of an unknown version.
        MismatchError: `encoder` is another encoder.
    """
    folder = Path(source).expanduser()
    if not folder.exists() and (SHIPPED / str(source)).is_dir():
        folder = SHIPPED / str(source)
    if not (folder / "config.json").is_file():
        shipped = ", ".join(sorted(path.name for path in SHIPPED.iterdir())) if SHIPPED.is_dir() else "none"
        raise InputError(f"{source}: no explainer there (no config.json); shipped with the package: {shipped}")
    config = _read_config(folder)
    try:
        explainer = _assemble(folder, config, cache)
    except (KeyError, TypeError) as error:
        raise DamagedError(f"{folder}/config.json: field {error} is missing or of the wrong kind") from error
    return explainer if encoder is None else explainer.with_encoder(encoder)


def save(explainer: Explainer, folder: Path, overwrite: bool = False) -> None:
    """Write `explainer` as a folder, whole or not at all.

    Raises:
        InputError: the folder exists and `overwrite` is false, or cannot be written.
    """
    with new_folder(folder, overwrite) as scratch:
        sae = explainer.sae
        write_sae(sae, scratch / "sae.safetensors", half=True)
        write_arrays(scratch / "internalizers.safetensors", _internalizer_arrays(explainer))
        write_features(scratch / "features.jsonl", explainer.features)
        files = ("sae.safetensors", "internalizers.safetensors", "features.jsonl")
        config = {
            "format": FORMAT,
            "format_version": VERSION,
            "name": explainer.name,
            "encoder": explainer.encoder_identity.to_dict(),
            "sae": {"features": sae.features, "k": sae.k, "dimension": sae.dimension},
            "internalizers": {aspect: {"form": net.form} for aspect, net in explainer.internalizers.items()},
            "made_from": dict(explainer.made_from),
            "figures": dict(explainer.figures),
            "files": {name: sha256_of_file(scratch / name) for name in files},
        }
        write_text(scratch / "config.json", json.dumps(config, indent=2, ensure_ascii=False) + "\n")
        write_text(scratch / "README.md", model_card(explainer))


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedError(f"{path}: not JSON ({error})") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise DamagedError(f"{path}: not the configuration of an explainer (format is not {FORMAT})")
    if config.get("format_version") != VERSION:
        raise DamagedError(
            f"{path}: format version {config.get('format_version')} is not {VERSION}, the one this release reads; "
            "upgrade xetrieval or fit the explainer again"
        )
    return config


def _assemble(folder: Path, config: Mapping[str, Any], cache: Path | bool) -> Explainer:
    for name, promised in config["files"].items():
        if Path(name).name != name:
            raise DamagedError(f"{folder}/config.json: file {name!r} lies outside the folder")
        if not (folder / name).is_file():
            raise DamagedError(f"{folder}/{name}: missing")
        if sha256_of_file(folder / name) != promised:
            raise DamagedError(f"{folder}/{name}: differs from what config.json promises (sha256); restore or refit it")
    try:
        k = config["sae"]["k"]
        sae = read_sae(folder / "sae.safetensors", k=None if k is None else int(k))
        return Explainer(
            name=str(config["name"]),
            encoder_identity=EncoderIdentity(**config["encoder"]),
            sae=sae,
            internalizers=_read_internalizers(folder, config["internalizers"]),
            features=read_features(folder / "features.jsonl", sae.features),
            made_from=config["made_from"],
            figures=config["figures"],
            cache=cache,
        )
    except MismatchError as error:
        raise DamagedError(f"{folder}: {error}") from error
    except InputError as error:
        raise DamagedError(f"{folder}: {error}") from error


def _read_internalizers(folder: Path, forms: Mapping[str, Any]) -> dict[Any, Internalizer]:
    if unknown := [aspect for aspect in forms if aspect not in ASPECTS]:
        raise DamagedError(f"{folder}/config.json: unknown aspect {unknown[0]!r}")
    arrays = _float32(folder / "internalizers.safetensors") if forms else {}
    return {
        aspect: Internalizer(
            **{part: arrays[f"{aspect}.{part}"] for part in ("w1", "b1", "w2", "b2")},
            form=forms[aspect]["form"],
        )
        for aspect in ASPECTS
        if aspect in forms
    }


def _internalizer_arrays(explainer: Explainer) -> dict[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {}
    for aspect, net in explainer.internalizers.items():
        arrays |= {
            f"{aspect}.w1": half_precision(net.w1),
            f"{aspect}.b1": net.b1,
            f"{aspect}.w2": half_precision(net.w2),
            f"{aspect}.b2": net.b2,
        }
    return arrays


def _float32(path: Path) -> dict[str, NDArray[np.float32]]:
    return {name: np.asarray(array, np.float32) for name, array in read_arrays(path).items()}
