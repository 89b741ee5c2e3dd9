"""Pairs of an index with the names that their explanations show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator

from ...configs import NamesConfig
from ...data.judgments import Queries
from ...errors import InputError
from ...explain import Explanation
from ...index import Index
from ...index.search.mode import SearchOptions
from ...index.search.ranking import Hit, search
from ...progress import Progress, silent
from ..pairs import MOST_PAIRS, PER_QUERY
from .key import DECOY, NONE, SHOWN, KeyRow, texts_digest

OWN: Final = 20  # hits fetched, to allow for leaving out chunks of the query's own document


class _Pair(NamedTuple):
    query: str  # id
    hit: Hit
    relevant: bool | None


def draw_names(
    index: Index,
    queries: Queries,
    judgments: Mapping[str, Mapping[str, int]] | None = None,
    config: NamesConfig | None = None,
    progress: Progress = silent,
) -> list[KeyRow]:
    """Draw pairs of a query and one of its three best documents; half of them relevant, if there are enough.

    The names are those of the lines that an explanation shows by default. Decoys are names of features that are active
    neither in the query nor in any view of the document.

    Args:
        judgments: by query id, {document id: grade}.
    Raises:
        InputError: no query, or an index without documents.
    """
    config = config or NamesConfig()
    rng = np.random.default_rng(config.seed)
    pairs = _pairs(index, queries, judgments, rng, progress)
    relevant = [pair for pair in pairs if pair.relevant]
    others = [pair for pair in pairs if not pair.relevant]
    many = min(len(others), max(config.pairs // 2, config.pairs - len(relevant)))
    drawn = relevant[: config.pairs - many] + others[:many]
    if not drawn:
        raise InputError(f"{index.folder}: there is no pair of a query and a document with a text to draw")
    key: list[KeyRow] = []
    for place, at in enumerate(rng.permutation(len(drawn)).tolist(), 1):
        key += _rows(index, drawn[at], f"{index.folder.name}-{place}", config.decoys, rng)
        progress("explain", place, len(drawn), "pairs")
    return key


def _pairs(
    index: Index,
    queries: Queries,
    judgments: Mapping[str, Mapping[str, int]] | None,
    rng: Generator,
    progress: Progress,
) -> list[_Pair]:
    """The three best hits of some queries, in random order."""
    chosen = np.sort(rng.permutation(len(queries.ids))[: MOST_PAIRS // PER_QUERY]).tolist()
    pairs = []
    for place, at in enumerate(chosen, 1):
        name, text = queries.ids[at], queries.texts[at]
        judged = None if judgments is None else judgments.get(name, {})
        hits = search(index, text, PER_QUERY, SearchOptions()).hits
        if any(is_own(hit, name) for hit in hits):
            more = search(index, text, OWN, SearchOptions()).hits
            hits = [hit for hit in more if not is_own(hit, name)][:PER_QUERY]
        for hit in (hit for hit in hits if index.document(hit.row).text.strip()):
            grade = 0 if judged is None else max(judged.get(hit.doc_id, 0), judged.get(hit.parent or hit.doc_id, 0))
            pairs.append(_Pair(name, hit, None if judged is None else grade > 0))
        progress("search", place, len(chosen), "queries")
    return [pairs[i] for i in rng.permutation(len(pairs))]


def is_own(hit: Hit, query: str) -> bool:
    """Whether a hit is the query's own document, or a chunk of it."""
    return query in (hit.doc_id, hit.parent)


def _rows(index: Index, pair: _Pair, item: str, decoys: int, rng: Generator) -> list[KeyRow]:
    """The names of a pair, in random order."""
    explanation = pair.hit.explanation
    shown = shown_names(explanation)
    texts = texts_digest(pair.hit.query.text, index.document(pair.hit.row).text)
    fixed = (pair.query, pair.hit.doc_id, pair.relevant, explanation.score - explanation.bias)
    if not shown:
        return [KeyRow(item, 0, NONE, *fixed, "", 0.0, "", texts)]
    silent_names = _silent(index, pair.hit, shown)
    chosen = rng.permutation(len(silent_names))[:decoys]
    found = [(SHOWN, features, share, name) for name, (features, share) in shown.items()]
    found += [(DECOY, *silent_names[i]) for i in chosen.tolist()]
    drawn = [found[at] for at in rng.permutation(len(found)).tolist()]
    return [
        KeyRow(item, number, kind, *fixed, features, share, name, texts)
        for number, (kind, features, share, name) in enumerate(drawn, 1)
    ]


def shown_names(explanation: Explanation) -> dict[str, tuple[str, float]]:
    """Features and share of each name that an explanation shows by default; a name of several lines is listed once."""
    names: dict[str, tuple[str, float]] = {}
    for term in explanation.trusted().terms:
        if term.kind == "feature" and (name := term.shown_label):
            features, share = names.get(name, ("", 0.0))
            names[name] = (f"{features} {' '.join(map(str, term.ids))}".strip(), share + term.share)
    return names


def _silent(index: Index, hit: Hit, shown: Mapping[str, object]) -> list[tuple[str, float, str]]:
    """The features that are active in neither text: feature, a share of 0, and name."""
    assert hit.query.vector is not None
    codes = [index.explainer.sae.encode(hit.query.vector[None]), *index.all_codes(np.array([hit.row]))]
    active = set(np.concatenate([code.support(0) for code in codes]).tolist())
    taken = {name.casefold() for name in shown}
    return [
        (str(feature.feature_id), 0.0, feature.label)
        for feature in index.explainer.features
        if feature.label and feature.feature_id not in active and feature.label.casefold() not in taken
    ]
