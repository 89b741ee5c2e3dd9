"""What `xetrieval index build` and `add` share: the options of a corpus, and the build itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ..configs import BuildConfig, ChunkConfig, Option
from ..errors import InputError
from ..registry import VECTOR_STORES
from .console import print_message
from .options import CacheOption, PriceOption, cache_of, open_explainer, print_encoder_notes, print_sending
from .progress import progress_bar
from .shared import check_options
from .skipped import SkipBad, report_skipped, skipped_rows

if TYPE_CHECKING:
    from ..explain import Explainer
    from ..index import Built

STORES = ", ".join(VECTOR_STORES)
NO_WORDS = "storing them requires texts, an encoder with mean pooling, and a build without --no-words"


@dataclass(frozen=True)
class CorpusOptions:
    """The documents, and how they are read."""

    encoder: Annotated[
        str | None,
        Option(
            "Any encoder: a name, a folder or an address (docs/encoders.md); the index learns its own features. With "
            "--explainer, and when adding: a different copy of the same encoder."
        ),
    ] = None
    vectors: Annotated[
        Path | None, Option("Vectors of the documents (.npy, .safetensors, .parquet), by id or row by row.")
    ] = None
    vector_column: Annotated[
        str | None, Option("A Parquet file's column of vectors; default: vector, or the only one.")
    ] = None
    store: Annotated[str | None, Option(f"URL of a vector store (docs/integrations.md): {STORES}.")] = None
    cache: CacheOption = None
    no_cache: Annotated[bool, Option("Do not cache encoded texts (the cache takes 1.6 KB per text).")] = False
    price: PriceOption = None
    skip_bad: SkipBad = False


def build_from(
    options: CorpusOptions,
    chunks: ChunkConfig,
    config: BuildConfig,
    sources: list[Path],
    explainer: str | None,
    output: Path,
) -> None:
    import time

    from ..encoders import encoder_notes
    from ..index import Corpus, build_index
    from ..index.build.sent import texts_of_build
    from ..index.build.stores import open_store
    from .streams import readable

    encoded = options.vectors or options.store
    values = {**vars(options), "force": config.force, "chunk_tokens": chunks.tokens}
    values |= {"chunk_overlap": chunks.overlap > 0, "no_chunks": chunks.whole}
    check_options(
        "build",
        {**values, "sources": sources, "encoded": encoded},
        {"sources": "a corpus", "encoded": "--vectors or --store"},
    )
    opened = _base(options, explainer)
    if not sources and not encoded:
        raise InputError("give a corpus, --vectors FILE, or --store URL")
    chunking = None if chunks == ChunkConfig() else chunks
    if not encoded:
        print_encoder_notes(encoder_notes(opened.encoder))
    started = time.monotonic()
    skipped = skipped_rows(skip_bad=options.skip_bad)
    with readable(sources, skipped) as kept, progress_bar() as progress:
        store = None if options.store is None else open_store(options.store)
        corpus = Corpus(tuple(kept), chunking, options.vectors, store, skipped, options.vector_column)
        if not encoded:
            unheard = skipped_rows(skip_bad=options.skip_bad)
            counted = replace(corpus, skipped=unheard)
            print_sending(opened.encoder, texts_of_build(counted, opened, output, config), options.price)
        built = build_index(corpus, opened, output, config, progress)
    report_skipped(skipped, output)
    _print_result(built, output, time.monotonic() - started)
    if not opened.internalizers:
        print_message(
            "views: the documents' own vectors only; to add views, fit an explainer with texts (docs/views.md)"
        )
    if config.seed and not built.learned:
        print_message("--seed had no effect: no dictionary was learned")
    if chunks.overlap and not built.cut:
        print_message("--chunk-overlap had no effect: no document was cut")


def _base(options: CorpusOptions, explainer: str | None) -> Explainer:
    """The explainer that a build starts from."""
    from ..encoders import open_encoder
    from ..index.build.own import DEFAULT_EXPLAINER, base_of

    cache: Path | Literal[False] | None = False if options.no_cache else options.cache
    if explainer is not None or options.encoder is None:
        return open_explainer(explainer or DEFAULT_EXPLAINER, options.encoder, cache)
    return base_of(open_encoder(options.encoder), cache=cache_of(cache))


def _print_result(built: Built, output: Path, seconds: float) -> None:
    from ..index.search.nearest import LARGE

    changes = [f"{built.added:,} added"]
    changes += [f"{built.updated:,} replaced"] if built.updated else []
    changes += [f"{built.removed:,} old chunks removed"] if built.removed else []
    changes += [f"{built.unchanged:,} unchanged"] if built.unchanged else []
    print_message(f"{output}: {', '.join(changes)}; {built.documents:,} documents, {seconds:,.1f} s")
    print_message(f"dictionary: {built.dictionary}")
    if built.cut:
        print_message(built.cut)
    if built.unread:
        print_message(
            f"{built.unread:,} tokens at the end of {built.longer:,} documents were not read: they are past the "
            "encoder's limit"
        )
    if not built.words and built.added + built.updated:
        print_message(f"words of these documents are not stored: {NO_WORDS}")
    if built.unreadable:
        print_message(
            f"{built.unreadable:,} of {built.added + built.updated:,} documents are mostly unknown to the encoder: it "
            "knows at most half of their tokens, so search can hardly find them"
        )
    if built.documents >= LARGE:
        print_message(f"to search this many documents faster, run `xetrieval index accelerate {output} faiss`")
