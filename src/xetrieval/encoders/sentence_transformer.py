"""Any sentence-transformers model, by hub name or folder, with its own prompts."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, as_vectors, l2norm
from ..errors import DamagedError, InputError
from ..extras import require
from ..store import digest_of, sha256_of_file
from .base import EncoderIdentity, Role
from .tokens import TokenKind, TokenVectors
from .workers import read_side_by_side

Precision = Literal["float32", "bfloat16"]
LARGE: Final = 100_000_000  # weights
BATCH: Final = {"cpu": 8, "cuda": 128}  # on CPUs small batches are the faster ones: 38 texts/s against 30 with 32

# Families whose models need prompts that their own configuration files do not carry (their model cards do).
FAMILY_PROMPTS: Final = (
    ("e5-mistral", ("Instruct: Retrieve passages that answer the query\nQuery: ", "")),
    ("e5", ("query: ", "passage: ")),
    ("bge-m3", ("", "")),
    ("bge", ("Represent this sentence for searching relevant passages: ", "")),
    ("arctic-embed", ("Represent this sentence for searching relevant passages: ", "")),
    ("nomic-embed", ("search_query: ", "search_document: ")),
)


class SentenceTransformerEncoder:
    """A sentence-transformers model. Reading its identity costs a hash of the weights, not their loading.

    Args:
        source: a folder, or a name on the model hub (the hub's local cache is tried first).
        query_prompt, document_prompt: override the model's own prompts.
        precision: bfloat16 runs the matrix products in half precision (about twice as fast on processors with
            bf16 instructions; cosine to float32 at least 0.9999 measured with MiniLM). Explanations use float32.
    Raises:
        InputError: neither a model folder nor a name the hub knows.
    """

    def __init__(
        self,
        source: str | Path,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        precision: Precision = "float32",
        name: str | None = None,
        batch_size: int | None = None,  # None: see BATCH
    ) -> None:
        self.folder = find_model(source)
        self.precision, self.batch_size, self._tokenizing = precision, batch_size, Lock()
        own = _own_prompts(self.folder, str(name or source))
        config = _read_json(self.folder / "sentence_bert_config.json")
        self.identity = EncoderIdentity(
            name=name or str(source),
            dimension=_dimension(self.folder),
            weights_sha256=weights_sha256(self.folder),
            query_prompt=own[0] if query_prompt is None else query_prompt,
            document_prompt=own[1] if document_prompt is None else document_prompt,
            max_tokens=config.get("max_seq_length") or _max_positions(self.folder),
            pooling=_pooling(self.folder),
        )

    def encode_query(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m], unit rows."""
        return self._encode(texts, "query")

    def encode_document(self, texts: Sequence[str]) -> Float32:
        """Vectors [n, m], unit rows."""
        return self._encode(texts, "document")

    def unread_tokens(self, texts: Sequence[str], role: Role) -> NDArray[np.int32]:
        """Tokens past the model's limit, prompt and special tokens counted as read, [n]."""
        limit = self.identity.max_tokens
        if limit is None:
            return np.zeros(len(texts), np.int32)
        prompt = self.identity.prompt(role)
        model = self._model
        with self._tokenizing:
            ids = model.tokenizer([prompt + text for text in texts], truncation=False, verbose=False)["input_ids"]
        return np.array([max(0, len(tokens) - limit) for tokens in ids], np.int32)

    def token_vectors(self, text: str, role: Role) -> TokenVectors | None:
        """The tokens before pooling; None unless the model is a transformer, a mean, and at most a normalisation."""
        torch = require("torch", "encoders")
        parts = tuple(type(module).__name__ for module in self._model)
        if parts[:2] != ("Transformer", "Pooling") or parts[2:] not in ((), ("Normalize",)):
            return None
        pooling = self._model[1]
        if _mode(pooling) != "mean":
            return None
        prompt = self.identity.prompt(role)
        whole = prompt + text
        lead = len(whole) - len(whole.lstrip())  # the model strips its input
        with self._tokenizing:
            read = self._model.tokenizer(
                whole.strip(),
                truncation=True,
                max_length=self._model.max_seq_length,
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
                return_tensors="pt",
            )
        offsets, special = read.pop("offset_mapping")[0].tolist(), read.pop("special_tokens_mask")[0].tolist()
        with torch.inference_mode():
            vectors = self._model[0](dict(read.to(self._model.device)))["token_embeddings"][0].float().cpu().numpy()
        spans, kinds = _places(offsets, special, len(prompt) - lead)
        kept = [
            place for place, kind in enumerate(kinds) if kind != "prompt" or getattr(pooling, "include_prompt", True)
        ]
        return TokenVectors(vectors[kept], tuple(spans[i] for i in kept), tuple(kinds[i] for i in kept))

    def _encode(self, texts: Sequence[str], role: Role) -> Float32:
        torch, device, model = require("torch", "encoders"), _device(), self._model
        batch, half = self.batch_size or BATCH[device], self.precision == "bfloat16"

        def read(some: list[str]) -> Any:
            with torch.inference_mode(), torch.autocast(device, torch.bfloat16) if half else nullcontext():
                return model.encode(
                    some,
                    prompt=self.identity.prompt(role) or None,
                    batch_size=batch,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                )

        alone = len(texts) == 1 and self._large  # all threads for one text: only a large model gains by it
        beside = device == "cpu" and not alone
        vectors = read_side_by_side(read, texts, batch) if beside else read(list(texts))
        return np.asarray(l2norm(as_vectors(vectors)), np.float32)

    @cached_property
    def _large(self) -> bool:
        return bool(sum(weights.numel() for weights in self._model.parameters()) > LARGE)

    @cached_property
    def _model(self) -> Any:
        _quiet()
        package = require("sentence_transformers", "encoders")
        try:
            model = package.SentenceTransformer(str(self.folder), device=_device(), local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            first = str(error).strip().splitlines()[0]
            raise DamagedError(f"{self.folder}: the model does not load ({first})") from error
        _lock_tokenizer(model, self._tokenizing)
        return model.eval()


def _lock_tokenizer(model: Any, lock: AbstractContextManager[Any]) -> None:
    """Fast tokenizers keep truncation as a setting: two threads at once could read with each other's."""
    name = "preprocess" if hasattr(model, "preprocess") else "tokenize"
    tokenize = getattr(model, name)

    def locked(*given: Any, **options: Any) -> Any:
        with lock:
            return tokenize(*given, **options)

    setattr(model, name, locked)


def _mode(pooling: Any) -> str:
    """How a pooling module pools, under its old name or its new one."""
    mode = getattr(pooling, "pooling_mode", None) or pooling.get_pooling_mode_str()
    return str(mode)


def _places(offsets: list[list[int]], special: list[int], prompt: int) -> tuple[list[tuple[int, int]], list[TokenKind]]:
    """Spans in the text after a prompt of so many letters, and what each token is."""
    spans: list[tuple[int, int]] = []
    kinds: list[TokenKind] = []
    for (start, end), is_special in zip(offsets, special, strict=True):
        kind: TokenKind = "special" if is_special else "prompt" if end <= prompt else "text"
        kinds.append(kind)
        spans.append((max(0, start - prompt), end - prompt) if kind == "text" else (0, 0))
    return spans, kinds


def find_model(source: str | Path) -> Path:
    """The folder of a model: `source` itself, or the hub's local copy of it, fetched if need be."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
            raise InputError(f"{folder}: not a model folder, it has neither modules.json nor config.json")
        return folder
    if folder.is_absolute() or str(source).startswith((".", "~")):
        raise InputError(f"{folder}: no such model folder")
    _quiet()
    hub = require("huggingface_hub", "encoders")
    for local_only in (True, False):
        try:
            return Path(hub.snapshot_download(str(source), local_files_only=local_only))
        except Exception as error:  # the hub client's errors span three libraries; each means "not to be had"
            reason = error
    raise InputError(
        f"encoder {str(source)!r}: no such folder, and the model hub does not give it ({type(reason).__name__}); "
        "give a model folder, a hub name, minilm, hashing, or URL#MODEL"
    ) from reason


def weights_sha256(folder: Path) -> str:
    """Hash of the model's weight files: of the file itself where there is one."""
    files = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("pytorch_model*.bin"))
    if not files:
        raise InputError(f"{folder}: no weights (*.safetensors or pytorch_model*.bin) in this model folder")
    hashes = [sha256_of_file(file) for file in files]
    return hashes[0] if len(hashes) == 1 else digest_of(hashes)


def _own_prompts(folder: Path, name: str) -> tuple[str, str]:
    prompts = _read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    query = prompts.get("query")
    document = next((prompts[key] for key in ("document", "passage", "corpus") if prompts.get(key)), None)
    if query or document:
        return query or "", document or ""
    for family, pair in FAMILY_PROMPTS:
        if family in name.lower().replace("_", "-"):
            return pair
    return "", ""


def _dimension(folder: Path) -> int:
    for entry in reversed(_read_list(folder / "modules.json")):
        config = _read_json(folder / entry.get("path", "") / "config.json")
        for key in ("out_features", "word_embedding_dimension", "embedding_dimension"):
            if entry.get("path") and isinstance(config.get(key), int):
                return int(config[key])
    hidden = _read_json(folder / "config.json").get("hidden_size")
    if not isinstance(hidden, int):
        raise DamagedError(f"{folder}: no configuration file says the dimension of its vectors")
    return hidden


def _pooling(folder: Path) -> str:
    for entry in _read_list(folder / "modules.json"):
        if str(entry.get("type", "")).endswith("Pooling"):
            config = _read_json(folder / entry.get("path", "") / "config.json")
            modes = [k.removeprefix("pooling_mode_") for k, v in config.items() if v is True and "mode" in k]
            return str(
                config.get("pooling_mode") or "+".join(m.removesuffix("s").removesuffix("_token") for m in modes)
            )
    return "mean"  # what sentence-transformers adds to a bare transformer


def _max_positions(folder: Path) -> int | None:
    limit = _read_json(folder / "config.json").get("max_position_embeddings")
    return int(limit) if isinstance(limit, int) else None


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _read_list(path: Path) -> list[dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return content if isinstance(content, list) else []


def _device() -> str:
    return "cuda" if require("torch", "encoders").cuda.is_available() else "cpu"


def _quiet() -> None:
    """No telemetry, no bars of other libraries between ours."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    require("transformers", "encoders").utils.logging.disable_progress_bar()
