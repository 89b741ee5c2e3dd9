"""Any sentence-transformers model, by hub name or folder, with its own prompts."""

from __future__ import annotations

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
from ..files import path_of
from ..identity import EncoderIdentity, Role
from ..text import clip
from .base import NO_LIMIT, BaseEncoder, Counts, not_counted
from .model_folder import ModelFolder
from .texts import as_texts
from .tokens import Show, TokenKind, TokenVectors
from .workers import read_side_by_side

Precision = Literal["float32", "bfloat16"]
LOADING: Final = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, IndexError)
LARGE: Final = 100_000_000  # weights
FEW: Final = 4  # up to this many texts are read one by one, so that their token vectors can be kept
TEXTS_KEPT: Final = 8  # token vectors are kept for this many texts
MOST_KEPT: Final = 1 << 22  # numbers in the token vectors of one text
BATCH: Final = {"cpu": 8, "cuda": 128}  # on CPUs small batches are faster: 38 texts/s, against 30 with batches of 32


class SentenceTransformerEncoder(BaseEncoder):
    """A sentence-transformers model. The weights are hashed for its identity, and loaded when first needed.

    Args:
        source: a folder, or a name on the model hub (the hub's local cache is tried first).
        query_prompt, document_prompt: override the model's own prompts.
        precision: bfloat16 runs the matrix products in half precision (about twice as fast on processors with
            bf16 instructions; cosine to float32 at least 0.9999 measured with MiniLM). Explanations use float32.
    Raises:
        InputError: neither a model folder nor a name on the hub, or a model that does not rank by cosine.

    `notes` has what a user should know: prompts that were guessed, a default prompt that is not used.
    """

    def __init__(
        self,
        source: str | Path,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        precision: Precision = "float32",
        name: str | None = None,
        batch_size: int | None = None,  # None: as in BATCH
    ) -> None:
        self.folder = find_model(source)
        self.precision, self.batch_size, self._tokenizing = precision, batch_size, Lock()
        self._last: dict[tuple[Role, str], TokenVectors] = {}
        model = ModelFolder(self.folder, None if _is_folder(source) else str(source))
        similar = model.similarity()
        own = model.prompts()
        self.notes = (*similar, *(own.notes if query_prompt is None or document_prompt is None else ()))
        self.identity = EncoderIdentity(
            name=name or str(source),
            dimension=model.dimension(),
            weights_sha256=model.weights_sha256(),
            query_prompt=own.query if query_prompt is None else query_prompt,
            document_prompt=own.document if document_prompt is None else document_prompt,
            max_tokens=model.max_tokens(),
            pooling=model.pooling(),
            reading_sha256=model.reading_sha256(),
        )

    def token_counts(self, texts: Sequence[str], role: Role) -> Counts:
        """How many tokens of each text are past the limit, unknown to the tokenizer, and read."""
        tokenizer, limit, prompt = self._model.tokenizer, self.identity.max_tokens, self.identity.prompt(role)
        if not callable(tokenizer):  # a model without a transformer
            return not_counted(len(texts))
        whole = [prompt + text for text in as_texts(texts, role)]
        with self._tokenizing:
            read = tokenizer(whole, truncation=False, return_special_tokens_mask=True, verbose=False)
            lead = tokenizer(prompt, add_special_tokens=False)["input_ids"] if prompt else []
        unknown_id, ends = tokenizer.unk_token_id, tokenizer.num_special_tokens_to_add()
        unread, unknown, tokens = [], [], []
        for ids, special in zip(read["input_ids"], read["special_tokens_mask"], strict=True):
            # some tokenizers call [UNK] special
            inner = [i for i, s in zip(ids, special, strict=True) if not s or i == unknown_id]
            over = 0 if limit is None else max(0, len(ids) - limit)
            text = inner[len(lead) : len(inner) if limit is None else max(len(lead), limit - ends)]
            unread.append(over)
            unknown.append(sum(i == unknown_id for i in text))
            tokens.append(len(text))
        return Counts(*(np.array(column, np.int32) for column in (unread, unknown, tokens)))

    @cached_property
    def document_room(self) -> int | None:
        """The largest number of tokens in a document; None: the tokenizer does not show them."""
        tokenizer, prompt = self._model.tokenizer, self.identity.document_prompt
        if not getattr(tokenizer, "is_fast", False):
            return None
        with self._tokenizing:
            lead = tokenizer(prompt, add_special_tokens=False)["input_ids"] if prompt else []
        return int((self.identity.max_tokens or NO_LIMIT) - tokenizer.num_special_tokens_to_add() - len(lead))

    def token_starts(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Where the tokens of each text begin, including those past the limit."""
        tokenizer = self._model.tokenizer
        with self._tokenizing:
            read = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [np.array([start for start, _ in spans], np.int64) for spans in read["offset_mapping"]]

    def token_vectors(self, text: str, role: Role) -> TokenVectors | None:
        """The tokens before pooling; None unless it is a transformer with mean pooling and optional normalisation.

        The tokens of the texts that were last encoded one by one are cached.
        """
        if not self.shows_tokens():
            return None
        found = self._last.pop((role, text), None)
        if found is None:
            return self._read(text, role)[1]
        self._last[role, text] = found  # now the most recent
        return found

    def shows_tokens(self) -> bool:
        """Whether the model is a transformer with mean pooling and optional normalisation."""
        return self._is_mean

    def encode_showing(self, texts: Sequence[str], role: Role, show: Show) -> Float32:
        """Vectors [n, m], calling `show` with each text's tokens before pooling."""
        torch, device, model = require("torch", "encoders"), _device(), self._model
        batch, half = self.batch_size or BATCH[device], self.precision == "bfloat16"
        encode = model.encode_query if role == "query" else model.encode_document
        on_the_left = model.tokenizer.padding_side == "left"

        def read(some: list[str]) -> Float32:
            with torch.inference_mode(), torch.autocast(device, torch.bfloat16) if half else nullcontext():
                found = encode(
                    some,
                    prompt=self.identity.prompt(role),
                    batch_size=batch,
                    output_value=None,
                    show_progress_bar=False,
                )
            pooled = torch.stack([one["sentence_embedding"] for one in found])
            vectors: Float32 = torch.nn.functional.normalize(pooled, p=2, dim=1).float().cpu().numpy()
            places = self._tokenize(some, role)
            read = zip(places["offset_mapping"], places["special_tokens_mask"], strict=True)
            for text, vector, one, (offsets, special) in zip(some, vectors, found, read, strict=True):
                padded = one["token_embeddings"].float().cpu().numpy()
                states = padded[-len(offsets) :] if on_the_left else padded[: len(offsets)]
                show(text, self._tokens(states, offsets, special, text, role), vector)
            return vectors

        vectors = read_side_by_side(read, texts, batch, at_once=None if device == "cpu" else 1)
        return np.asarray(l2norm(as_vectors(vectors)), np.float32)

    @cached_property
    def _is_mean(self) -> bool:
        parts = tuple(type(module).__name__ for module in self._model)
        known = parts[:2] == ("Transformer", "Pooling") and parts[2:] in ((), ("Normalize",))
        return known and _mode(self._model[1]) == "mean" and self._model.truncate_dim is None

    def _read(self, text: str, role: Role) -> tuple[Float32, TokenVectors]:
        """The vector [1, m] of one text and its tokens, by one pass through the model."""
        torch = require("torch", "encoders")
        read = self._tokenize([text], role, return_tensors="pt")
        offsets, special = read.pop("offset_mapping")[0].tolist(), read.pop("special_tokens_mask")[0].tolist()
        with torch.inference_mode():
            states = self._model[0](dict(read.to(self._model.device)))["token_embeddings"][0].float().cpu().numpy()
        tokens = self._tokens(states, offsets, special, text, role)
        if tokens.vectors.size <= MOST_KEPT:
            self._last[role, text] = tokens
            for key in list(self._last)[:-TEXTS_KEPT]:
                self._last.pop(key, None)
        return tokens.vectors.mean(axis=0, keepdims=True), tokens

    def _tokenize(self, texts: Sequence[str], role: Role, **options: Any) -> Any:
        """Texts as the model reads them, with the place of each token."""
        with self._tokenizing:
            return self._model.tokenizer(
                [(self.identity.prompt(role) + text).strip() for text in texts],  # the model strips its input
                truncation=True,
                max_length=self._model.max_seq_length,
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
                **options,
            )

    def _tokens(self, states: Any, offsets: Any, special: Any, text: str, role: Role) -> TokenVectors:
        """The tokens that are pooled."""
        prompt = self.identity.prompt(role)
        lead = len(prompt + text) - len((prompt + text).lstrip())
        spans, kinds = _places(offsets, special, len(prompt) - lead)
        kept = list(range(len(kinds)))
        if "prompt" in kinds and not getattr(self._model[1], "include_prompt", True):
            kept = kept[len(kinds) - kinds[::-1].index("prompt") :]  # without what precedes it, such as [CLS]
        return TokenVectors(states[kept], tuple(spans[i] for i in kept), tuple(kinds[i] for i in kept))

    def _encode(self, texts: list[str], role: Role) -> Float32:
        torch, device, model = require("torch", "encoders"), _device(), self._model
        batch, half = self.batch_size or BATCH[device], self.precision == "bfloat16"
        # an explicit prompt, even an empty one, replaces the default prompt of the model
        encode = model.encode_query if role == "query" else model.encode_document

        def read(some: list[str]) -> Any:
            with torch.inference_mode(), torch.autocast(device, torch.bfloat16) if half else nullcontext():
                return encode(
                    some,
                    prompt=self.identity.prompt(role),
                    batch_size=batch,
                    normalize_embeddings=True,
                    show_progress_bar=False,
                )

        def read_each(some: list[str]) -> Float32:
            return np.concatenate([self._read(text, role)[0] for text in some])

        alone = len(texts) == 1 and self._large  # use all threads for one text, which is faster only with large models
        if len(texts) <= FEW and not half and self._is_mean:
            read, batch = read_each, 1
        beside = device == "cpu" and not alone
        vectors = read_side_by_side(read, texts, batch) if beside else read(texts)
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
        except LOADING as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DamagedError(f"{self.folder}: the model does not load ({first})") from error
        _lock_tokenizer(model, self._tokenizing)
        if self.identity.max_tokens is not None:
            model.max_seq_length = self.identity.max_tokens  # its files may allow more tokens than it has positions
        try:
            model.eval().encode(["a"], prompt="", show_progress_bar=False)
        except (KeyError, AttributeError, TypeError, ValueError, RuntimeError) as error:
            raise DamagedError(
                f"{self.folder}: the model loads but cannot encode; modules.json must list all of its modules, in "
                f"order ({clip(str(error) or type(error).__name__, 120)})"
            ) from error
        return model


def _lock_tokenizer(model: Any, lock: AbstractContextManager[Any]) -> None:
    """Prevent two threads from using each other's truncation, which fast tokenizers store as a setting."""
    name = "preprocess" if hasattr(model, "preprocess") else "tokenize"
    tokenize = getattr(model, name)

    def locked(*given: Any, **options: Any) -> Any:
        with lock:
            return tokenize(*given, **options)

    setattr(model, name, locked)


def _mode(pooling: Any) -> str:
    """The mode of a pooling module, stored under its old or its new name."""
    mode = getattr(pooling, "pooling_mode", None) or pooling.get_pooling_mode_str()
    return str(mode)


def _places(offsets: list[list[int]], special: list[int], prompt: int) -> tuple[list[tuple[int, int]], list[TokenKind]]:
    """Spans in the text after a prompt of `prompt` characters, and the kind of each token."""
    spans: list[tuple[int, int]] = []
    kinds: list[TokenKind] = []
    for (start, end), is_special in zip(offsets, special, strict=True):
        kind: TokenKind = "special" if is_special else "prompt" if end <= prompt else "text"
        kinds.append(kind)
        spans.append((max(0, start - prompt), end - prompt) if kind == "text" else (0, 0))
    return spans, kinds


def _is_folder(source: str | Path) -> bool:
    return path_of(source).is_dir()


def find_model(source: str | Path) -> Path:
    """The folder of a model: `source` itself, or the hub's local copy of it, downloaded if needed."""
    folder = path_of(source)
    if _is_folder(source):
        if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
            raise InputError(f"{folder}: not a model folder: it has neither modules.json nor config.json")
        return folder
    if folder.is_absolute() or str(source).startswith((".", "~")):
        raise InputError(f"{folder}: no such model folder")
    _quiet()
    hub = require("huggingface_hub", "encoders")
    for local_only in (True, False):
        try:
            return Path(hub.snapshot_download(str(source), local_files_only=local_only))
        except Exception as error:  # errors of three libraries, which all mean that the model is unavailable
            reason = error
    raise InputError(
        f"encoder {str(source)!r}: no such folder, and the model hub did not return it ({type(reason).__name__}); "
        "give a model folder, a hub name, minilm, hashing, or URL#MODEL"
    ) from reason


def _device() -> str:
    return "cuda" if require("torch", "encoders").cuda.is_available() else "cpu"


def _quiet() -> None:
    """Turn off telemetry and the progress bars of other libraries."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    require("transformers", "encoders").utils.logging.disable_progress_bar()
