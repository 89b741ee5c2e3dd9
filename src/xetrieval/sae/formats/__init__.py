"""Other people's checkpoints, read and written. A conversion that would lose something is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from ...errors import InputError
from ..model import SparseAutoencoder
from . import dictionary_learning, saelens, sentence_transformers, sparsify
from .release import read_release_sae, write_release_sae

__all__ = ["FORMATS", "convert", "read_release_sae", "write_release_sae"]


class Format(NamedTuple):
    """How one kind of checkpoint is read and written."""

    read: Callable[[Path], SparseAutoencoder]
    write: Callable[[SparseAutoencoder, Path], None]


FORMATS: Final[dict[str, Format]] = {
    "xetrieval": Format(SparseAutoencoder.load, lambda sae, path: sae.save(path)),
    "release": Format(read_release_sae, write_release_sae),
    "dictionary-learning": Format(dictionary_learning.read, dictionary_learning.write),
    "saelens": Format(saelens.read, saelens.write),
    "sparsify": Format(sparsify.read, sparsify.write),
    "sentence-transformers": Format(sentence_transformers.read, sentence_transformers.write),
}


def convert(source: Path, of: str, target: Path, to: str) -> SparseAutoencoder:
    """Read `source` in the format `of` and write it to `target` in the format `to`; what was read.

    Raises:
        InputError: an unknown format, no such file, `target` exists, or the target format cannot hold it exactly.
        DamagedError: the source is not what its format promises.
    """
    for name in (of, to):
        if name not in FORMATS:
            raise InputError(f"format {name!r} is unknown; choose one of {', '.join(FORMATS)}")
    sae = FORMATS[of].read(source)
    FORMATS[to].write(sae, target)
    return sae
