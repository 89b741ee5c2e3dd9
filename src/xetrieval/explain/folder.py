"""An explainer as a human-readable folder.

config.json                 format version, encoder, shapes, what it was made from, figures, hash of each file
sae.safetensors             encoder.weight, encoder.bias, decoder.weight, b_dec (weights in half precision)
internalizers.safetensors   ASPECT.w1, ASPECT.b1, ASPECT.w2, ASPECT.b2
features.jsonl              id, label, source, frequency, ids of examples, scores, family, flags
families.jsonl              id, name, parent, features, centre (where features were grouped)
removal.safetensors         the features that were removed from its documents (only after `index remove-features`)
history.jsonl               every label ever assigned or proposed; it only grows
README.md                   the model card
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..encoders import EncoderIdentity
from ..errors import DamagedError, InputError, MismatchError
from ..features import read_families, read_features, write_families, write_features
from ..files import Kind, facts_of, new_folder, path_of, read_manifest, recover, write_manifest, write_text
from ..internalizer import read_internalizers, write_internalizers
from ..sae import read_sae, write_sae
from ..steer.removal import read_removal, write_removal
from .card import model_card

if TYPE_CHECKING:
    from .explainer import Explainer

KIND: Final = Kind("xetrieval-explainer", 2, "an explainer")
FAMILIES: Final = "families.jsonl"
HISTORY: Final = "history.jsonl"
REMOVAL: Final = "removal.safetensors"
SHIPPED: Final = Path(__file__).resolve().parent.parent / "shipped"


def read_explainer(make: Callable[..., Explainer], source: str | Path, *, cache: Path | bool) -> Explainer:
    """The explainer of `source`, assembled by `make`.

    Raises:
        InputError: no such explainer. DamagedError: a file was altered, is missing, or is of an unknown version.
    """
    folder = find(source)
    config = read_manifest(folder, KIND)
    try:
        return _assemble(make, folder, config, cache=cache)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"{folder}/config.json: field {error} is missing or of the wrong kind") from error


def find(source: str | Path) -> Path:
    """The folder of an explainer, given by the name of a shipped one or by its path.

    Raises:
        InputError: no such explainer.
    """
    folder = path_of(source)
    recover(folder)
    if not folder.exists() and (SHIPPED / str(source)).is_dir():
        folder = SHIPPED / str(source)
    if not (folder / "config.json").is_file():
        shipped = ", ".join(sorted(path.name for path in SHIPPED.iterdir())) if SHIPPED.is_dir() else "none"
        raise InputError(f"{source}: no explainer there (no config.json); shipped with the package: {shipped}")
    return folder


def write_explainer(
    explainer: Explainer, folder: Path, *, overwrite: bool = False, part: bool = False, history: str = ""
) -> None:
    """Write `explainer` as a folder; see `Explainer.save`. `history` becomes its history.jsonl; `part`: of an index."""
    with new_folder(folder, over=KIND if overwrite else None, part=part) as scratch:
        sae = explainer.sae
        write_sae(sae, scratch / "sae.safetensors", half=True)
        write_internalizers(explainer.internalizers, scratch / "internalizers.safetensors")
        write_features(scratch / "features.jsonl", explainer.features, sae.digest)
        files = ["sae.safetensors", "internalizers.safetensors", "features.jsonl"]
        if explainer.families:
            write_families(scratch / FAMILIES, explainer.families)
            files.append(FAMILIES)
        if explainer.removal is not None:
            write_removal(explainer.removal, scratch / REMOVAL)
            files.append(REMOVAL)
        if history:
            write_text(scratch / HISTORY, history)
            files.append(HISTORY)
        facts = {
            "name": explainer.name,
            "encoder": explainer.encoder_identity.to_dict(),
            "sae": {"features": sae.features, "k": sae.k, "dimension": sae.dimension},
            "internalizers": {aspect: {"form": net.form} for aspect, net in explainer.internalizers.items()},
            "made_from": dict(explainer.provenance),
            "figures": dict(explainer.metrics),
        }
        write_manifest(scratch, KIND, facts, files)
        write_text(scratch / "README.md", model_card(explainer))


def _assemble(
    make: Callable[..., Explainer], folder: Path, config: Mapping[str, Any], *, cache: Path | bool
) -> Explainer:
    try:
        k = config["sae"]["k"]
        if (k is not None and type(k) is not int) or not isinstance(config["name"], str):
            raise DamagedError(f"{folder}/config.json: field 'name' or 'k' is of the wrong kind")
        sae = read_sae(folder / "sae.safetensors", k=k)
        return make(
            name=config["name"],
            encoder_identity=EncoderIdentity.from_dict(config["encoder"]),
            sae=sae,
            internalizers=read_internalizers(folder / "internalizers.safetensors", config["internalizers"]),
            features=read_features(folder / "features.jsonl", sae.features, sae.digest),
            families=read_families(folder / FAMILIES) if FAMILIES in config["files"] else (),
            removal=read_removal(folder / REMOVAL) if REMOVAL in config["files"] else None,
            provenance=facts_of(config, "made_from", folder),
            metrics=facts_of(config, "figures", folder),
            cache=cache,
        )
    except (MismatchError, InputError) as error:
        raise DamagedError(f"{folder}: {error}") from error
