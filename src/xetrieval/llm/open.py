"""Open a language model by its name on the command line."""

from __future__ import annotations

from ..errors import InputError
from ..files import path_of
from .base import ChatModel
from .client import OpenAIChat
from .replay import ReplayChat


def open_llm(source: str, timeout: float = 120.0) -> ChatModel:
    """http(s)://HOST/v1#MODEL, gguf:FILE, or replay:FILE.

    Raises:
        InputError: none of these, or no such file. MissingExtra: gguf without xllamacpp installed.
    """
    kind, _, rest = source.partition(":")
    if kind in ("http", "https"):
        address, _, model = source.partition("#")
        return OpenAIChat(address, model, timeout)
    if kind == "gguf":
        from .local import LocalChat

        return LocalChat(path_of(rest), timeout=max(timeout, 600.0))
    if kind == "replay":
        return ReplayChat.from_file(path_of(rest))
    raise InputError(f"language model {source!r}: give http(s)://HOST/v1#MODEL, gguf:FILE, or replay:FILE")
