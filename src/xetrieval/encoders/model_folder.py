"""The folder of a sentence-transformers model: reads whatever determines its vectors, without loading the model.

The following files count, anywhere in the folder (except copies for other runtimes, such as `onnx`):

- the weights: *.safetensors of a folder, or its pytorch_model*.bin
- modules.json: the kind and order of the modules, without a final normalisation (every vector is normalised)
- every configuration file (*.json) of model, tokenizer and modules, by content: the order of keys and line endings do
  not count
- vocabularies and merges (vocab*.txt, merges*.txt, *.model, ...), except line endings

What does not change vectors does not count: names and versions (`PROVENANCE`), truncation and padding in tokenizer.json
(set at every call), the length limit and prompts (fields of the identity, with the values in use), the name of the
similarity (checked instead, see `similarity`), training logs, and model cards.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import DamagedError, InputError
from ..files import digest_of, parse_json, read_json, sha256_of_file
from ..files.arrays import read_arrays

PROVENANCE: Final = frozenset(
    {
        *("_name_or_path", "name_or_path", "transformers_version", "__version__", "_commit_hash"),
        *("max_seq_length", "model_max_length"),  # the limit in use is `max_tokens`
    }
)
NO_LIMIT: Final = 1_000_000  # tokens; tokenizers without a limit name a larger number
SETTINGS: Final = "config_sentence_transformers.json"
OTHER_RUNTIMES: Final = frozenset({"onnx", "openvino", "coreml", "flax", "tf"})
BYSTANDERS: Final = (
    "data_config.json",
    "generation_config.json",
    "trainer_state.json",
    "*_results.json",
    "*.index.json",
    "modules.json",
    SETTINGS,
)
VOCABULARIES: Final = ("vocab*.txt", "merges*.txt", "*.model", "*.bpe", "*.tiktoken", "bpe.codes", "dict.txt")
OFFSET_MODELS: Final = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "roberta-prelayernorm")

# Families of models whose prompts are in their model cards only, not in their configuration files.
FAMILY_PROMPTS: Final = (
    ("e5-mistral", ("Instruct: Retrieve passages that answer the query\nQuery: ", "")),
    ("e5", ("query: ", "passage: ")),
    ("bge-m3", ("", "")),
    ("bge", ("Represent this sentence for searching relevant passages: ", "")),
    ("arctic-embed", ("Represent this sentence for searching relevant passages: ", "")),
    ("nomic-embed", ("search_query: ", "search_document: ")),
)
DOT_FAMILIES: Final = ("dot", "tas-b", "contriever", "dpr")  # trained for dot products; their files may not say so
REMEDY: Final = (
    "Choose a model for cosine, or if your search does use cosine with it, "
    f'set "similarity_fn_name": "cosine" in {SETTINGS}'
)


class Prompts(NamedTuple):
    """The prompts of queries and documents, and notes on them."""

    query: str
    document: str
    notes: tuple[str, ...] = ()


class ModelFolder:
    """A model's folder. The folder's own name has no meaning.

    Args:
        hub_name: its name on the model hub, if it came from there.
    """

    def __init__(self, folder: Path, hub_name: str | None = None) -> None:
        self.folder, self.hub_name = folder, hub_name
        self.modules = _records(folder / "modules.json")
        for entry in self.modules:
            place = Path(str(entry.get("path", "")))
            if place.is_absolute() or ".." in place.parts:
                raise DamagedError(f"{folder / 'modules.json'}: a module is outside the folder ({str(place)!r})")
        self.transformer = folder / str(self.modules[0].get("path", "")) if self.modules else folder
        self.config = _record(self.transformer / "config.json")
        self.settings = _record(folder / SETTINGS)

    def weights_sha256(self) -> str:
        """Hash of the model's weight files; a single file's own hash."""
        files = []
        for place in self._folders():
            files += sorted(place.glob("*.safetensors")) or sorted(place.glob("pytorch_model*.bin"))
        if not files:
            raise InputError(f"{self.folder}: no weights (*.safetensors or pytorch_model*.bin) in this model folder")
        hashes = [sha256_of_file(file) for file in files]
        return (
            hashes[0]
            if len(hashes) == 1
            else digest_of([[self._place(f), h] for f, h in zip(files, hashes, strict=True)])
        )

    def reading_sha256(self) -> str:
        """Hash of everything that determines a vector besides weights, prompts and length limit."""
        facts: dict[str, Any] = {}
        for place in self._folders():
            for path in sorted(place.iterdir()):
                if path.is_file() and (content := _content(path)) is not None:
                    facts[self._place(path)] = content
        kept = {key: self.settings.get(key) for key in ("default_prompt_name", "truncate_dim")}
        return digest_of([self._kinds(), facts, {key: value for key, value in kept.items() if value is not None}])

    def prompts(self) -> Prompts:
        """The model's own: what sentence-transformers' encode_query and encode_document put before a text.

        If its files say nothing about prompts, the family in the model's own name decides.
        """
        notes: list[str] = []
        default = self.settings.get("default_prompt_name")
        own = self.settings.get("prompts") or {}
        if not isinstance(own, dict):
            raise DamagedError(f"{self.folder / SETTINGS}: prompts must map names to texts")
        if default and default not in ("query", "document"):
            notes.append(f"its default prompt {default!r} is for a different task and is not used")
        others = [key for key in ("passage", "corpus") if own.get(key)]
        if others and "document" not in own:  # sentence-transformers adds an empty prompt `document`, and uses it
            notes.append(f"its prompt {others[0]!r} is not put before documents: encode_document does not use it")
        if others or "document" in own or "query" in own:
            if not any(own.values()) and (family := self._family()) and any(family[1]):
                notes.append(f"the prompts in its files are empty, but models named {family[0]!r} need prompts")
            return Prompts(str(own.get("query") or ""), str(own.get("document") or ""), tuple(notes))
        name, (query, passage) = self._family() or ("", ("", ""))
        if query or passage:
            notes.append(
                f"its files name no prompts; guessed from its name {name!r}: {query!r} before queries, "
                f"{passage!r} before documents"
            )
        return Prompts(query, passage, tuple(notes))

    def _family(self) -> tuple[str, tuple[str, str]] | None:
        """The model's name that belongs to a known family, and the prompts of that family."""
        found = ((name, p) for name in self.names() for family, p in FAMILY_PROMPTS if _has_words(name, family))
        return next(found, None)

    def similarity(self) -> tuple[str, ...]:
        """Notes on how the model compares vectors; only cosine, or an equivalent, can be explained.

        Raises:
            InputError: it ranks by dot product without unit vectors, or by a distance.
        """
        named = self.settings.get("similarity_fn_name")
        kind = str(named or "cosine").lower().removesuffix("_product").removesuffix("_distance")
        if kind == "dot" and self.normalised:
            return ("it ranks by dot product of unit vectors, which is the cosine",)
        if kind != "cosine":
            what = "dot product of vectors that differ in length" if kind == "dot" else f"{named} distance"
            raise InputError(
                f"{self.hub_name or self.folder}: this model ranks by {what}; xetrieval explains cosine only, and its "
                f"ranks would differ. {REMEDY}"
            )
        for name in () if self.normalised else self.names():
            if any(_has_words(name, family) for family in DOT_FAMILIES):
                if named:
                    return (f"its name {name!r} suggests a dot-product model, but its files say cosine, which is used",)
                raise InputError(
                    f"{name}: this model was trained to rank by dot product; xetrieval explains cosine only, and its "
                    f"ranks would differ. {REMEDY}"
                )
        return ()

    def names(self) -> list[str]:
        """The model's own names, from the hub or its configuration, and from its card; never the folder's name."""
        heading = None
        card = self.folder / "README.md"
        if card.is_file():
            heading = re.search(
                r"^#[ \t]+(\S+)[ \t]*$", card.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
            )
        given = (self.hub_name or self.config.get("_name_or_path"), heading and heading.group(1))
        names = (re.split(r"[/\\]", name.rstrip("/\\"))[-1] for name in given if isinstance(name, str))
        return [name for name in names if not re.fullmatch(r"[0-9a-f]{16,}", name)]

    def dimension(self) -> int:
        """m of its vectors."""
        size = self._dimension()
        cut = self.settings.get("truncate_dim")
        return min(size, cut) if isinstance(cut, int) and cut > 0 else size

    def max_tokens(self) -> int | None:
        """How many tokens the model reads: the configured limit, capped at the number of positions."""
        own = [_record(path).get("max_seq_length") for path in sorted(self.transformer.glob("sentence_*_config.json"))]
        limits: list[Any] = [limit for limit in own if isinstance(limit, int)]
        if not limits:
            limits = [_record(self.transformer / "tokenizer_config.json").get("model_max_length")]
        positions = self.config.get("max_position_embeddings")
        if isinstance(positions, int) and self.config.get("model_type") in OFFSET_MODELS:
            padding = self.config.get("pad_token_id")
            positions -= (padding if isinstance(padding, int) else 1) + 1  # the first positions are for padding
        found = [limit for limit in (*limits, positions) if isinstance(limit, int) and 0 < limit < NO_LIMIT]
        return min(found) if found else None

    @property
    def normalised(self) -> bool:
        """Whether its last module makes unit vectors."""
        return bool(self.modules) and _kind(self.modules[-1]) == "Normalize"

    def pooling(self) -> str:
        """How the vectors of tokens are combined."""
        for entry in self.modules:
            if _kind(entry) == "Pooling":
                config = _record(self.folder / str(entry.get("path", "")) / "config.json")
                modes = [k.removeprefix("pooling_mode_") for k, v in config.items() if v is True and "mode" in k]
                named = "+".join(mode.removesuffix("s").removesuffix("_token") for mode in modes)
                return str(config.get("pooling_mode") or named)
        return "mean"  # sentence-transformers' default for a bare transformer

    def _dimension(self) -> int:
        for entry in reversed(self.modules):
            config = _record(self.folder / str(entry.get("path", "")) / "config.json")
            for key in ("out_features", "word_embedding_dimension", "embedding_dimension"):
                if entry.get("path") and isinstance(config.get(key), int):
                    return int(config[key])
        if self._kinds() == ["StaticEmbedding"]:  # a table of token vectors, without a configuration
            weights = [
                array for array in read_arrays(self.transformer / "model.safetensors").values() if array.ndim == 2
            ]
            if len(weights) == 1:
                return int(weights[0].shape[1])
        hidden = self.config.get("hidden_size")
        if not isinstance(hidden, int):
            raise DamagedError(f"{self.folder}: no configuration file gives the dimension of its vectors")
        return hidden

    def _kinds(self) -> list[str]:
        kinds = [_kind(entry) for entry in self.modules] or ["Transformer", "Pooling"]
        while kinds and kinds[-1] == "Normalize":
            kinds.pop()
        return kinds

    def _folders(self) -> list[Path]:
        """The folder and those of its modules, all of them if modules contain others."""
        deep = any(_kind(entry) in ("Router", "Asym") for entry in self.modules)
        within = [self.folder] if deep else [self.folder / str(e["path"]) for e in self.modules if e.get("path")]
        found = {self.folder}
        for start in within:
            found |= {start} if start.is_dir() else set()
            found |= {path for path in start.rglob("*") if path.is_dir() and not self._aside(path)}
        return sorted(found)

    def _aside(self, path: Path) -> bool:
        parts = path.relative_to(self.folder).parts
        return any(part.startswith(".") or part in OTHER_RUNTIMES for part in parts)

    def _place(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def _content(path: Path) -> Any:
    """The content of a file that may change a vector; None for other files."""
    if any(fnmatch(path.name, pattern) for pattern in VOCABULARIES):
        return sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    if path.suffix != ".json" or any(fnmatch(path.name, pattern) for pattern in BYSTANDERS):
        return None
    raw = path.read_bytes()
    try:
        content = parse_json(raw)
    except InputError:  # vocabularies may contain lone surrogates; damaged configurations fail at loading
        return sha256(raw).hexdigest()
    if path.name == "tokenizer.json" and isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in ("truncation", "padding")}
    elif path.name.endswith("config.json"):
        content = _without_provenance(content)
    return digest_of(content)


def _without_provenance(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_provenance(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_provenance(one) for key, one in value.items() if key not in PROVENANCE}


def _has_words(name: str, family: str) -> bool:
    """Whether a name contains the words of `family` in sequence."""
    words, wanted = (re.findall(r"[a-z0-9]+", text.lower()) for text in (name, family))
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))


def _kind(entry: dict[str, Any]) -> str:
    """Transformer, Pooling, ...; the module that defines the class depends on the release."""
    return str(entry.get("type", "")).rsplit(".", 1)[-1]


def _record(path: Path) -> dict[str, Any]:
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _records(path: Path) -> list[dict[str, Any]]:
    content = read_json(path) if path.is_file() else []
    return [entry for entry in content if isinstance(entry, dict)] if isinstance(content, list) else []
