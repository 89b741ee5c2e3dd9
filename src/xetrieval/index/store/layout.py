"""An index on disk: a human-readable folder.

config.json           format version, what it was made from, shards with the hash of every file, deleted rows
explainer/            the explainer that made it; after `index relearn`, explainer-000007/, as config.json says
    sentences.f32, .u64         vectors of the sentences that it was trained on; hashes of document and text
shards/000000/        up to 65,536 documents, never changed once sealed
    vectors.f32                 [n, m] unit rows
    VIEW.starts.u32             [n + 1] where each document's codes begin in the two files below
    VIEW.features.u16           feature ids (u32 where F > 65,536)
    VIEW.values.f32 | .f16      activations: 32 bits for the original view, because scores are computed from it;
    otherwise 16 postings.starts.u32         [F + 1]
    postings.rows.u16           for each feature, the documents of the shard that have it in their original view
    postings.values.f32         and their activations
    words.starts.u32            [n + 1] where each document's words begin in the two files below; no such files in a
                                shard whose encoder does not show its tokens
    words.features.u16          its features, in any view
    words.places.u32 [., 3] the words that carry each one's activation: start in the text, 24 bits; length, 6 bits;
    rank, 2 bits (explain/words.py) documents.sqlite            ids, titles, texts, metadata
    shard.json                  rows, hashes
deleted-000001.u64    rows that were deleted or replaced, ascending
building/             an unfinished build; while it trains a dictionary, its shards have states.*, the vectors of words
bm25-000001/          the word counts of this generation, made by the first search by words
scan/, faiss-*        copies that make search faster

Arrays are raw little-endian numbers. The extension gives the type; the number of rows gives the shape.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...files import Kind
from ...files.kind import INDEX
from ...views import ORIGINAL, View

KIND: Final = Kind(
    INDEX, 3, "an index", oldest=2, remedy="build it again with `xetrieval index build`"
)  # version 2 has no words of documents
EXPLAINER: Final = "explainer"
SHARDS: Final = "shards"
BUILDING: Final = "building"
TEXTS: Final = "documents.sqlite"
VECTORS: Final = "vectors.f32"
RECORD: Final = "shard.json"
SENTENCES: Final = ("sentences.f32", "sentences.u64")  # beside an explainer that was trained on the index's corpus
PROGRESS: Final = "progress.json"  # progress of a shard that is being written
WORDS: Final = "bm25"  # prefix of word counts, which readers may write while another process writes the index
STATES: Final = ("states.counts.u32", "states.places.u32", "states.scales.f32", "states.words.i8")
POSTINGS: Final = ("postings.starts.u32", "postings.rows.u16", "postings.values.f32")
TYPES: Final[dict[str, np.dtype[Any]]] = {
    "i8": np.dtype("i1"),
    "f32": np.dtype("<f4"),
    "f16": np.dtype("<f2"),
    "u16": np.dtype("<u2"),
    "u32": np.dtype("<u4"),
    "u64": np.dtype("<u8"),
}


def shard_name(number: int) -> str:
    """The folder of a shard."""
    return f"{number:06d}"


def code_files(view: View, features: int) -> tuple[str, str, str]:
    """The files of one view's codes: where rows begin, feature ids, activations."""
    values = "f32" if view == ORIGINAL else "f16"
    return f"{view}.starts.u32", f"{view}.features.{_ids(features)}", f"{view}.values.{values}"


def word_files(features: int) -> tuple[str, str, str]:
    """The files of the documents' words: where each document begins, features, places in the text."""
    return "words.starts.u32", f"words.features.{_ids(features)}", "words.places.u32"


def _ids(features: int) -> str:
    """The type of feature ids."""
    return "u16" if features <= 1 << 16 else "u32"


def array_type(name: str) -> np.dtype[Any]:
    """The type of numbers in a file, by its extension."""
    return TYPES[name.rsplit(".", 1)[1]]


def map_array(path: Path, columns: int = 1) -> NDArray[Any]:
    """A file as a memory-mapped array, [n] or [n, columns]. An empty file is an empty array."""
    kind = array_type(path.name)
    if not path.is_file():  # a device has a size of 0
        raise ValueError("not a regular file")
    if path.stat().st_size % (kind.itemsize * columns):
        raise ValueError("a part of a number is missing at its end")
    shape: tuple[int, ...] = (path.stat().st_size // kind.itemsize // columns,)
    if columns > 1:
        shape = (*shape, columns)
    return np.memmap(path, kind, "r", shape=shape) if shape[0] else np.empty(shape, kind)
