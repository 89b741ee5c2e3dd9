"""Finds the texts that a build will encode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...configs import BuildConfig
from ...explain import Explainer
from ...files.kind import NAME as CONFIG
from ...fitting.texts import few_sentences
from ..store.manifest import read_index_manifest
from .corpus import Corpus
from .own import choose, is_learned
from .shards import wanted


def texts_of_build(corpus: Corpus, explainer: Explainer, output: Path, config: BuildConfig) -> Iterator[str]:
    """New and changed documents and, if a dictionary will be trained, sentences from them."""
    base = read_index_manifest(output) if config.adding and (output / CONFIG).is_file() else None
    corpus = corpus.cut_for(explainer.encoder, None if base is None else base.chunking)
    count = 0
    for entry in wanted(corpus, output, base):
        count += 1
        yield entry.document.text
    plan = choose(explainer, config.dictionary, count, adding=config.adding)
    if plan.learned and not is_learned(output):
        yield from (one.text for one in few_sentences((entry.document for entry in corpus.entries()), count))
