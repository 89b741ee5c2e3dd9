"""Explains hits of any vector store: the store's score is converted to a cosine and compared with the explained one.

    from xetrieval.connect import StoreHit, explain_hits

    hits = [StoreHit(row.id, row.distance, row.vector, row.text) for row in rows]
    explain_hits("my-index", "why does my build fail", hits, metric="squared l2")

METRICS lists the metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Float32, Float64, as_vectors
from ..encoders import read_texts
from ..errors import InputError, MismatchError, XetrievalError
from ..explain import Explainer, Explanation, load
from ..explain.pairs import PairNames
from ..explain.words import with_words
from ..files import path_of
from ..files.kind import INDEX, kind_of
from ..files.kind import NAME as CONFIG
from ..index import Index
from ..index.build.own import is_shipped
from ..index.store.manifest import explainer_of
from ..records import Brief
from ..text import clip

Metric = Literal[
    "cosine", "cosine distance", "shifted cosine", "dot", "dot distance", "negative dot", "l2", "squared l2"
]
METRICS: Final[Mapping[Metric, str]] = {  # the score that the store returns for a query q and a document z
    "cosine": "cos(q, z)",
    "cosine distance": "1 - cos(q, z)",
    "shifted cosine": "(1 + cos(q, z)) / 2",
    "dot": "<q, z>",
    "dot distance": "1 - <q, z>",
    "negative dot": "-<q, z>",
    "l2": "|q - z|",
    "squared l2": "|q - z|^2",
}
KEY: Final = "xetrieval"  # the field of a document that we add in stores and frameworks
AGREES: Final = 1e-4  # the cosine of a float32 store may differ from the explained one by this much
DISTANCES: Final = ("cosine distance", "squared l2")
BELOW_0: Final = 0.01  # rounding can make the distance of a vector to itself negative by less than this
Source = str | Path | Explainer | Index


@dataclass(frozen=True, repr=False)
class StoreHit(Brief):
    """One hit as a store returns it. It needs a vector, or a text to encode."""

    doc_id: str
    score: float | None = None  # in the store's metric; None: not compared with the explanation's
    vector: ArrayLike | None = None
    text: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


class _Sides(NamedTuple):
    """A query and its hits, as vectors of any length."""

    q: Float32  # [m]
    z: Float32  # [n, m]

    def cosines(self, metric: Metric, scores: Float64) -> Float64:
        """The scores [n] of a metric as cosines."""
        q, z = np.linalg.norm(self.q.astype(np.float64)), np.linalg.norm(self.z.astype(np.float64), axis=1)
        if metric == "cosine":
            return scores
        if metric == "cosine distance":
            return 1 - scores
        if metric == "shifted cosine":
            return 2 * scores - 1
        if metric in ("l2", "squared l2"):
            squared = scores**2 if metric == "l2" else scores
            return np.asarray((q**2 + z**2 - squared) / (2 * q * z))
        signed = {"dot": scores, "dot distance": 1 - scores, "negative dot": -scores}[metric]
        return np.asarray(signed / (q * z))


def explain_hits(
    explainer: Source,
    query: str | ArrayLike,
    hits: Iterable[StoreHit],
    *,
    metric: Metric = "cosine",
    vector: ArrayLike | None = None,
    quantised: bool = False,
    words: bool = True,
) -> list[Explanation]:
    """Why each hit of one query has its score, in the order of the hits.

    The vectors of the hits are explained as they are; only hits without one are encoded, from their texts.

    Args:
        explainer: one learned from this corpus (an explainer, an index, or the folder of either), or "minilm".
        query: a text, or the vector that the store was searched with.
        metric: what the scores of the hits are; a key of METRICS.
        vector: the vector that the store was searched with, if `query` is a text; otherwise the text is encoded.
        quantised: the store returns rounded vectors, so its scores may differ from the explained ones; a note says so.
        words: add the words of both texts that carry each share, where there are texts and the encoder is installed.
    Raises:
        InputError: something that is not a StoreHit, a hit without vector and text, a score that is not a number, or an
        unknown metric. MismatchError: a score does not belong to the hit's vector and the query's.
    """
    if metric not in [*METRICS]:
        raise InputError(f"metric {clip(str(metric), 40)!r}: choose one of {', '.join(METRICS)}")
    hits, explainer = _checked(hits, metric), explainer_from(explainer)
    if not hits:
        return []
    text = query if isinstance(query, str) else ""
    if not text.strip():
        query_vector(explainer, query)  # refuses what is neither a text nor a vector, even where it is not used
    sides = _Sides(query_vector(explainer, query if vector is None else vector), _vectors(explainer, hits))
    known = bool(text) and all(hit.text for hit in hits)
    names = PairNames(
        doc_ids=[hit.doc_id for hit in hits],
        queries=[text] * len(hits) if known else (),
        documents=[hit.text for hit in hits] if known else (),
    )
    pairs = explainer.explain_vectors(np.broadcast_to(sides.q, sides.z.shape), sides.z, names)
    notes = _compared(hits, sides, metric, pairs.attribution.score, quantised=quantised)
    general = f"features of the general dictionary {explainer.name}, not learned from this corpus"
    shared = [general] if is_shipped(explainer) else []
    out = []
    readable = words and text and any(hit.text for hit in hits) and _has_encoder(explainer)
    for rank, (one, hit, note) in enumerate(zip(pairs, hits, notes, strict=True), 1):
        made = replace(one, query=text, document=hit.text, rank=rank, note="; ".join([*note, *shared]))
        out.append(with_words(explainer, made, sides.q, sides.z[rank - 1]) if readable else made)
    return out


def _checked(hits: Iterable[StoreHit], metric: Metric) -> list[StoreHit]:
    """The hits, if each has the types of a StoreHit and a score that its metric can have."""
    if isinstance(hits, StoreHit | str | Mapping) or not isinstance(hits, Iterable):
        raise InputError(f"hits: give a list of StoreHit, not one {type(hits).__name__}")
    listed = list(hits)
    for rank, hit in enumerate(listed, 1):
        if not isinstance(hit, StoreHit):
            raise InputError(f"hit {rank} is a {type(hit).__name__}, not a StoreHit")
        if not isinstance(hit.doc_id, str):
            raise InputError(f"hit {rank}: doc_id must be a text, not {clip(repr(hit.doc_id), 40)}")
        where = f"hit {clip(hit.doc_id, 60)!r}"
        if not isinstance(hit.text, str):
            raise InputError(f"{where}: text must be a text, not {clip(repr(hit.text), 40)}; leave it out if unknown")
        if hit.score is None:
            continue
        score = hit.score.item() if isinstance(hit.score, np.ndarray) and hit.score.ndim == 0 else hit.score
        if isinstance(score, bool) or not isinstance(score, Real) or not np.isfinite(score):
            shown = clip(repr(score), 40)
            raise InputError(f"{where}: score {shown} is not a number; give None to leave it out")
        if score < (-BELOW_0 if metric in DISTANCES else 0.0 if metric == "l2" else -np.inf):
            raise InputError(f"{where}: score {score:.6g} is below 0, so it is not a distance ({metric})")
    return listed


def explainer_from(source: Source) -> Explainer:
    """The explainer of an index, of a folder of either kind, or the shipped one of that name."""
    if isinstance(source, Explainer):
        return source
    if isinstance(source, Index):
        return source.explainer
    if not isinstance(source, str | Path):
        raise InputError(f"explainer: give an explainer, an index or a folder, not a {type(source).__name__}")
    folder = path_of(source)
    if kind_of(folder) == INDEX:
        source = folder = explainer_of(folder)
    config = folder / CONFIG
    return _loaded(str(source), config.stat().st_mtime_ns if config.is_file() else 0)


@lru_cache(maxsize=4)
def _loaded(source: str, changed: int) -> Explainer:
    """An explainer, kept with its encoder for the next search. `changed`: when its folder was written."""
    return load(source)


def query_vector(explainer: Explainer, query: str | ArrayLike) -> Float32:
    """A query as a vector [m] of any length.

    Raises:
        InputError: an empty text, or a vector of the wrong dimension.
    """
    if isinstance(query, str):
        if not query.strip():
            raise InputError("the query is empty; give it some text")
        vectors = read_texts(explainer.encoder, [query], "query").vectors
    else:
        vectors = as_vectors(np.atleast_2d(_array(query, "query vector")), explainer.sae.dimension, "query vector")
        if len(vectors) != 1:
            raise InputError(f"query vector: {len(vectors)} vectors; explain the hits of one query at a time")
    first: Float32 = vectors[0]
    return first


def _array(vector: ArrayLike, of: str) -> NDArray[Any]:
    try:
        return np.asarray(vector)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"{of}: not an array of numbers") from error


def _vectors(explainer: Explainer, hits: Sequence[StoreHit]) -> Float32:
    """The vectors of the hits [n, m]; those without one are encoded."""
    lacking = [i for i, hit in enumerate(hits) if hit.vector is None]
    for i in lacking:
        if not hits[i].text.strip():
            raise InputError(f"hit {hits[i].doc_id!r}: neither vector nor text; ask the store for its vectors")
    encoded = read_texts(explainer.encoder, [hits[i].text for i in lacking], "document").vectors if lacking else ()
    found = dict(zip(lacking, encoded, strict=True))
    rows = [
        found[i] if hit.vector is None else _array(hit.vector, f"vector of hit {hit.doc_id!r}").ravel()
        for i, hit in enumerate(hits)
    ]
    width = explainer.sae.dimension
    for hit, row in zip(hits, rows, strict=True):
        if len(row) != width:
            raise InputError(
                f"hit {hit.doc_id!r}: a vector of {len(row)} numbers; explainer {explainer.name} takes {width}"
            )
    return as_vectors(np.stack(rows), width, "vectors of the hits")


def _compared(
    hits: Sequence[StoreHit], sides: _Sides, metric: Metric, explained: Float64, *, quantised: bool
) -> list[list[str]]:
    """A note for each hit of a quantised store; for any other store, a different score is an error."""
    scores = np.array([np.nan if hit.score is None else hit.score for hit in hits], np.float64)
    stored = sides.cosines(metric, scores)
    with np.errstate(invalid="ignore"):
        apart = np.abs(stored - explained) > AGREES
    if apart.any() and not quantised:
        i = int(np.flatnonzero(apart)[0])
        fits = [
            repr(other)
            for other in METRICS
            if np.nanmax(np.abs(sides.cosines(other, scores) - explained), initial=0.0) <= AGREES
        ]
        remedy = (
            f"metric {' or '.join(fits)} would agree"
            if fits
            else (
                "give the query vector that the store was searched with (vector=...), or say that it rounds its "
                "vectors (quantised=True)"
            )
        )
        raise MismatchError(
            f"hit {hits[i].doc_id!r}: the store's score {scores[i]:.6g} ({metric}) is a cosine of {stored[i]:.4f}, but "
            f"that of its vector and the query's is {float(explained[i]):.4f}; {remedy}"
        )
    note = "explains the stored, quantised vector"
    return [
        [] if not quantised else [f"{note}: its cosine is {one:.4f}, the store's score {own:.4f}" if gap else note]
        for one, own, gap in zip(explained.tolist(), stored.tolist(), apart.tolist(), strict=True)
    ]


def _has_encoder(explainer: Explainer) -> bool:
    try:
        return explainer.encoder is not None
    except XetrievalError:  # not installed, or made for vectors alone
        return False


def summary(explanation: Explanation, top: int | None) -> dict[str, Any]:
    """A small record for the metadata of a document in other frameworks; its parts add up to the score."""
    short = explanation.top(top)
    features = []
    for term in short.terms:
        words = {} if term.words is None else {"query": list(term.words.query), "document": list(term.words.document)}
        known = {"words": words} if any(words.values()) else {}
        features.append({"feature_id": term.feature_id, "name": term.name, "share": term.share, **known})
    return {
        "score": short.score,
        "bias": short.bias,
        "features": features,
        "other_features": short.other_terms.share if short.other_terms else 0.0,
        "remainder": short.remainder,
        **({"notes": list(short.notes)} if short.notes else {}),
    }
