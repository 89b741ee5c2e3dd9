"""Explains a file of pairs and writes a file of explanations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ..data import Pair, Skipped, read_pairs, usable
from ..files import check_apart, check_file, is_stream, replacing
from ..progress import Progress, silent
from .explainer import Explainer
from .explanation import DEFAULT_TOP
from .pairs import PairNames

BLOCK: Final = 256  # pairs explained at a time


class Written(NamedTuple):
    """The outcome of a run."""

    explained: int
    truncated: int  # pairs with a text longer than the encoder's limit
    unreadable: int = 0  # pairs with a text of which the encoder knows at most half the tokens


def explain_file(
    explainer: Explainer,
    source: Path,
    target: Path,
    skipped: Skipped | None = None,
    top: int | None = None,
    progress: Progress = silent,
    *,
    evidence: bool = False,
) -> Written:
    """Explain every pair of a JSON lines file. The target is written completely or not at all ("-", a pipe or a device
    receives each block as it is ready).

    With `evidence`, each record says where its `top` (or DEFAULT_TOP) features come from.

    Raises:
        InputError: a bad line that `skipped` does not take, no usable line, or a target that cannot be written.
    """
    check_apart(target, source)
    check_file(target)
    total = sum(1 for _ in usable(read_pairs(source), skipped))
    (skipped or Skipped()).check(total, str(source))
    explained = truncated = unreadable = 0
    with replacing(target) as file:
        for block in _blocks(usable(read_pairs(source), skipped)):
            names = PairNames([pair.query_id for pair in block], [pair.doc_id for pair in block])
            queries, documents = [pair.query for pair in block], [pair.document for pair in block]
            for explanation in explainer.explain_pairs(queries, documents, names):
                if evidence:
                    explanation = explainer.with_evidence(explanation, DEFAULT_TOP if top is None else top)
                record = explanation.top(top).without_texts().to_dict()  # the source has the texts
                readings = (explanation.read_query, explanation.read_document)
                truncated += any(read.unread for read in readings)
                unreadable += any(read.unreadable for read in readings)
                file.write(json.dumps(record, ensure_ascii=is_stream(target)).encode() + b"\n")
            file.flush()
            explained += len(block)
            progress("explain", explained, total, "")
    return Written(explained, truncated, unreadable)


def _blocks(pairs: Iterator[Pair]) -> Iterator[list[Pair]]:
    while block := list(islice(pairs, BLOCK)):
        yield block
