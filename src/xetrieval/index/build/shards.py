"""Makes the shards of a build: encodes and codes documents in one pass, or in two with training in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...arrays import Float32
from ...encoders import (
    CachedEncoder,
    EditedEncoder,
    Encoded,
    Encoder,
    TokenVectors,
    not_counted,
    read_showing,
    read_texts,
    shows_tokens,
)
from ...explain import Explainer
from ...explain.word_states import DocumentWords, WordStates, document_words, word_states, words_still_active
from ...files import read_object, write_text
from ...progress import Progress, advanced
from ...sae import SparseCodes
from ..store.ids import open_ids
from ..store.layout import BUILDING, PROGRESS, RECORD, SHARDS, TEXTS, VECTORS, shard_name
from ..store.manifest import Manifest
from ..store.shard import Shard
from .corpus import Corpus, Entry, blocks
from .job import Build
from .writer import ShardWriter, is_sealed

Part = Literal["whole", "encode", "code"]  # what to make for a shard: everything, its vectors, or its codes
STAGE_NAMES = {"whole": "index", "encode": "encode", "code": "index"}
TellRows = Callable[[int], None]
MOST_KEPT = 200_000  # larger builds do not fill the user's cache: 300 MB at 384 dimensions


def build_in_loop(build: Build, part: Part) -> None:
    """Make all shards, one after the other, in one pass over the corpus."""
    corpus, explainer, output, base, job, progress = build
    maker = ShardMaker(corpus, explainer, output, job.block, part, rows=job.rows, words=job.words)
    entries = iter(()) if part == "code" else wanted(corpus, output, base)
    done = 0
    for number, size in enumerate(job.sizes, job.first):
        tell = partial(advanced, progress, STAGE_NAMES[part], job.rows, done)
        maker.make(number, size, islice(entries, size), tell)
        done += size


class ShardMaker:
    """Makes shards, or a part of each, one after another, resuming unfinished ones.

    Args:
        rows: the number of documents in the whole build.
        words: store the documents' words, if the encoder shows its tokens.
    """

    def __init__(
        self,
        corpus: Corpus,
        explainer: Explainer,
        output: Path,
        block: int,
        part: Part,
        *,
        rows: int = 0,
        words: bool = True,
    ) -> None:
        self.corpus, self.explainer, self.output, self.block, self.part = corpus, explainer, output, block, part
        self.encoder = None if corpus.encoded or part == "code" else _reader(explainer, rows)
        self.words = words and self.encoder is not None and shows_tokens(self.encoder)

    def make(
        self, number: int, size: int, entries: Iterator[Entry], tell: TellRows, known: Shard | None = None
    ) -> None:
        """Make one shard of `size` rows from its entries, unless it is finished.

        Args:
            known: an earlier shard of the same documents; their words are kept for features that they still have.
        """
        sealed, begun = self.output / SHARDS / shard_name(number), self.output / BUILDING / shard_name(number)
        if is_sealed(begun, sealed):
            for _ in entries:
                pass
            tell(size)
            return
        views = () if self.part == "encode" else self.explainer.views
        sae = self.explainer.sae
        words = known.has_words if known is not None else None if self.part == "code" else self.words
        writer = ShardWriter(begun, sae.dimension, sae.features, views, words=words)
        if self.part == "code":
            self._code(writer, tell, known)
        else:
            self._append(writer, entries, tell)
        if self.part == "encode":
            writer.close()
        else:
            writer.seal(sealed)

    def code_again(
        self,
        shards: Sequence[Shard],
        first: int,
        progress: Progress,
        *,
        words: bool,
        edit: Callable[[Float32], Float32] | None = None,
    ) -> tuple[dict[str, Any], ...]:
        """Make sealed shards again, with new codes, as shards `first`, `first` + 1, ...; returns their records.

        Args:
            words: whether documents keep the words of features that they still have.
            edit: of blocks of their vectors.
        """
        records, done, rows = [], 0, sum(shard.rows for shard in shards)
        for number, shard in enumerate(shards, first):
            self._begin_again(shard, number, edit)
            tell = partial(advanced, progress, "index", rows, done)
            self.make(number, shard.rows, iter(()), tell, shard if words else None)
            name = shard_name(number)
            records.append({"name": name, **read_object(self.output / SHARDS / name / RECORD)})
            done += shard.rows
        return tuple(records)

    def _begin_again(self, shard: Shard, number: int, edit: Callable[[Float32], Float32] | None) -> None:
        """Copy a shard's texts and vectors to the folder where codes are added, unless that was done before."""
        begun = self.output / BUILDING / shard_name(number)
        if (self.output / SHARDS / shard_name(number) / RECORD).is_file() or (begun / PROGRESS).is_file():
            return
        begun.mkdir(exist_ok=True)
        for name in (TEXTS,) if edit else (TEXTS, VECTORS):
            shutil.copyfile(shard.folder / name, begun / name)
        if edit:
            with (begun / VECTORS).open("wb") as file:
                for start in range(0, shard.rows, self.block):
                    file.write(np.ascontiguousarray(edit(shard.vectors[start : start + self.block]), "<f4").tobytes())
        sizes = {VECTORS: (begun / VECTORS).stat().st_size}
        write_text(begun / PROGRESS, json.dumps({"rows": shard.rows, "coded": 0, "bytes": sizes}))

    def _append(self, writer: ShardWriter, entries: Iterator[Entry], tell: TellRows) -> None:
        for _ in islice(entries, writer.rows):
            pass  # already in the shard
        tell(writer.rows)
        for chunk in blocks(entries, self.block):
            encoded, states = self._encoded(chunk)
            codes = self.explainer.codes(encoded.vectors, bulk=True) if self.part == "whole" else []
            words = self._words(states, codes) if codes else states
            writer.append([entry.document for entry in chunk], encoded, codes, words)
            tell(writer.rows)

    def _encoded(self, chunk: Sequence[Entry]) -> tuple[Encoded, WordStates | None]:
        """The vectors and words of some documents, from one pass through the model."""
        if self.encoder is None:
            vectors = self.corpus.vectors_of(chunk, self.explainer.sae.dimension)
            return Encoded(self.explainer.edited(vectors), not_counted(len(chunk))), None
        texts = [entry.document.text for entry in chunk]
        if not self.words:
            return read_texts(self.encoder, texts, "document"), None
        found: dict[str, WordStates] = {}

        def show(text: str, tokens: TokenVectors, z: Float32) -> None:
            found[text] = word_states(text, tokens, z)

        encoded = read_showing(self.encoder, texts, "document", show)
        return encoded, WordStates.joined([found[text] for text in texts])

    def _words(self, states: WordStates | None, codes: Sequence[SparseCodes]) -> DocumentWords | None:
        return None if states is None else document_words(states, self.explainer.sae.directions, codes)

    def _code(self, writer: ShardWriter, tell: TellRows, known: Shard | None) -> None:
        tell(writer.coded)
        while writer.coded < writer.rows:
            codes = self.explainer.codes(writer.vectors(writer.coded, self.block), bulk=True)
            if known is not None and known.has_words:
                rows = np.arange(writer.coded, writer.coded + len(codes[0]))
                words: DocumentWords | None = words_still_active(known.words(rows), codes)
            else:
                words = self._words(writer.states(writer.coded, self.block), codes)
            writer.append_codes(codes, words)
            tell(writer.coded)


def _reader(explainer: Explainer, rows: int) -> Encoder:
    """The encoder. For a very large corpus, the user's cache is read but not filled."""
    encoder = explainer.encoder
    inner = encoder.encoder if isinstance(encoder, EditedEncoder) else encoder
    if explainer.cache is True and rows > MOST_KEPT and isinstance(inner, CachedEncoder):
        return explainer.with_encoder(CachedEncoder(inner.encoder, inner.folder, grows=False)).encoder
    return encoder


def wanted(corpus: Corpus, output: Path, base: Manifest | None) -> Iterator[Entry]:
    """The entries that a build writes: all of them, or those that are new to the index or changed."""
    if base is None or corpus.encoded:  # if vectors are given, all documents are replaced: their vectors may differ
        yield from corpus.entries()
        return
    with open_ids(output, base) as have:
        yield from (entry for entry in corpus.entries() if not have.has(entry.document))
