"""Is this explainer good enough for this corpus? The metrics of its model card, measured here, and what to do.

A card's figures are from documents like those it was fitted on. On another corpus the autoencoder reconstructs less,
the remainder of explanations grows, and features stay silent. With judged queries also: what ranking by reconstructed
vectors keeps, and the queries that fail, grouped by the features that their wrong hits share.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from ..arrays import Float32, l2norm
from ..data.judgments import absent_documents
from ..errors import InputError, MismatchError
from ..explain import Explanation
from ..explain.foreign import unlike
from ..index import Index
from ..index.ask.report import BOILERPLATE
from ..index.search.mode import Query
from ..index.search.nearest import nearest
from ..index.search.ranking import explain_rows
from ..progress import Progress, silent
from ..sae.measure import Measured
from .retrieval import DEPTH, ndcg10_of_rankings

SAMPLE: Final = 2000  # documents
ASKED: Final = 200  # queries, or titles in their place
FEWEST: Final = 100  # documents from which on figures mean something
WRONG: Final = 3  # hits of a failing query that are looked at
NEEDED: Final = 1_000  # documents; docs/index.md has what fewer and more of them give


class Group(NamedTuple):
    """Queries that fail, and the feature that brings in what they find instead."""

    feature: int
    name: str
    mean_share: float  # in the wrong hits
    queries: tuple[str, ...]


@dataclass(frozen=True)
class Checkup:
    """Metrics of an index, with those of the model card; None where the card has none."""

    documents: int
    cosine: float  # of reconstructed vectors to the documents'
    cosine_on_card: float | None
    fvu: float | None  # None: all documents are alike, there is no variance
    fvu_on_card: float | None
    explained: float | None  # bias + shares, over the scores of queries with their best; None: no queries
    remainder: float | None  # |remainder| over |score|, summed likewise
    remainder_of_own: float | None  # |remainder| over |score - bias|: of what there is for features to explain
    asked: int
    asked_are: str  # "queries", "titles", or "nothing"
    silent: float  # fraction of the features that no document has
    saturated: float  # fraction of the features that a quarter of the documents have
    unread_documents: float  # fraction of the documents with text past the encoder's limit
    unknown_documents: float  # fraction of the documents of which the encoder knows at most half of the tokens
    retention: float | None  # of the best ten, or of NDCG@10 where there are judgments
    retention_is: str
    advice: tuple[str, ...]
    failing: tuple[Group, ...] = ()
    failed: int = 0
    judged: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The checkup as JSON."""
        return {**asdict(self), "failing": [group._asdict() for group in self.failing]}


def checkup(
    index: Index,
    queries: Sequence[str] | Float32 | None = None,
    judgments: Sequence[Mapping[str, int]] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Checkup:
    """Examine an index.

    Args:
        queries: texts, or vectors [q, m]; without them documents' titles are the queries; without titles, figures that
            need a query are left out.
        judgments: of each query, {document id: grade}.
    Raises:
        InputError: judgments without queries or not one for each, or an index without documents.
    """
    if judgments is not None and (queries is None or len(queries) != len(judgments)):
        raise InputError("give one set of judgments for each query")
    if judgments is not None:
        absent_documents(
            {str(place): one for place, one in enumerate(judgments)}, lambda name: index.find(name) is not None
        )
    if not len(index):
        raise InputError("every document in this index was deleted; there is nothing to examine")
    sae = index.explainer.sae
    rng = np.random.default_rng(seed)
    alive = np.setdiff1d(np.arange(index.manifest.rows), index.deleted, assume_unique=True)
    sample = np.sort(rng.permutation(alive)[:SAMPLE])
    z = index.vectors(sample)
    read = [index.document(int(row)).read for row in sample]
    measured = Measured(sae)
    measured.add(z, index.codes(sample, index.manifest.views[0]))
    reconstruction = measured.reconstruction()
    asked, kind, rows = _asked(index, queries, sample, rng, progress)
    explained = _explained(index, asked, progress)
    total = sum(abs(one.score) for one in explained) or 1.0  # sums: a score near 0 would blow up a mean of ratios
    own = sum(abs(one.score - one.bias) for one in explained) or 1.0
    judged = None if judgments is None else [judgments[i] for i in rows]
    retention, retention_is = _retention(index, asked, judged, progress) if asked else (None, "")
    frequency = index.frequency / max(1, len(index))
    card = index.explainer.metrics.get("original", {})
    failing, failed = _failing(index, queries, judgments, progress)
    found = Checkup(
        documents=len(index),
        cosine=round(reconstruction.cosine, 4),
        cosine_on_card=card.get("cosine"),
        fvu=None if np.isnan(reconstruction.fvu) else round(reconstruction.fvu, 4),
        fvu_on_card=card.get("fvu"),
        explained=round(1 - sum(one.remainder for one in explained) / total, 4) if asked else None,
        remainder=round(sum(abs(one.remainder) for one in explained) / total, 4) if asked else None,
        remainder_of_own=round(sum(abs(one.remainder) for one in explained) / own, 4) if asked else None,
        asked=len(asked),
        asked_are=kind,
        silent=round(float((frequency == 0).mean()), 4),
        saturated=round(float((frequency >= BOILERPLATE).mean()), 4),
        unread_documents=round(float(np.mean([reading.unread > 0 for reading in read])), 4),
        unknown_documents=round(float(np.mean([reading.unreadable for reading in read])), 4),
        retention=None if retention is None else round(retention, 4),
        retention_is=retention_is,
        advice=(),
        failing=failing,
        failed=failed,
        judged=0 if judgments is None else len(judgments),
    )
    foreign = unlike(index.explainer, z, "the vectors of this index")
    return replace(found, advice=(*((foreign,) if foreign else ()), *advice(found, _refit(index))))


def advice(
    found: Checkup, refit: str = "xetrieval fit CORPUS --encoder ENCODER --output my-explainer"
) -> tuple[str, ...]:
    """What the figures mean, in words; the verdict first. `refit` is the command that a refit takes."""
    lines = []
    remainder = found.remainder or 0.0
    if found.documents < FEWEST:
        return (f"{found.documents} documents are too few to judge by: these figures say little",)
    below = None if found.cosine_on_card is None else found.cosine_on_card - found.cosine
    if below is None:
        lines.append("the model card has no figures to compare with; judge by the remainder")
    if (below is not None and below > 0.08) or remainder > 0.4:
        lines.append(
            f"refit: the features account for much less here than where they were learned. {NEEDED:,} documents of the "
            "corpus itself, with their sentences, give most of what can be had, some thousands nearly all; "
            + (f"this one has {found.documents:,}" if found.documents < 3 * NEEDED else "this corpus has enough")
            + f": {refit}"
        )
    elif (below is not None and below > 0.03) or remainder > 0.25:
        lines.append("usable, with care: look at the remainder of each explanation; a refit on this corpus would help")
    elif below is not None:
        lines.append("good enough: what the explainer captures here is what its model card promises")
    if found.silent > 0.3:
        lines.append(f"{found.silent:.0%} of the features are about things that this corpus does not have")
    if found.saturated > 0.02:
        lines.append(
            f"{found.saturated:.1%} of the features are in a quarter of all documents and distinguish none of them"
        )
    if found.unread_documents > 0.05:
        lines.append(
            f"{found.unread_documents:.0%} of the documents are longer than the encoder reads: cut them into pieces "
            "(index build --chunk)"
        )
    if found.unknown_documents > 0.05:
        lines.append(
            f"{found.unknown_documents:.0%} of the documents are mostly unknown to the encoder: it was made for other "
            "languages or characters; use another one"
        )
    if found.retention is not None and found.retention < 0.7:
        lines.append(f"rankings change much when only what the features capture is kept ({found.retention_is})")
    if found.remainder is None:
        lines.append("no queries: give --queries FILE to see how much of the scores is explained")
    return tuple(lines)


def _refit(index: Index) -> str:
    """The command that fits an explainer on what the index was made from."""
    sources = list(dict.fromkeys(source for one in index.manifest.history for source in one["sources"]))
    words = ["xetrieval", "fit", *(sources or ["CORPUS"])]
    words += ["--encoder", index.explainer.encoder_identity.name, "--output", "my-explainer"]
    return shlex.join(words)


def _asked(index: Index, queries: Any, sample: Any, rng: Any, progress: Progress) -> tuple[list[Query], str, list[int]]:
    if queries is not None:
        rows = np.sort(rng.permutation(len(queries))[:ASKED]).tolist()
        out = []
        for place, row in enumerate(rows, 1):
            q, read = index.query_vector(queries[row])
            out.append(Query("", q, read=read))
            progress("encode", place, len(rows), "queries")
        return out, "queries", rows
    titles = [title for row in sample if (title := index.document(int(row)).title.strip())][:ASKED]
    out = []
    with suppress(MismatchError):  # an explainer of vectors alone reads no title
        for place, title in enumerate(titles, 1):
            out.append(Query(title, index.query_vector(title)[0]))
            progress("encode", place, len(titles), "titles")
    return out, "titles" if out else "nothing", list(range(len(out)))


def _explained(index: Index, asked: list[Query], progress: Progress) -> list[Explanation]:
    """Each query's best three."""
    out: list[Explanation] = []
    for place, query in enumerate(asked, 1):
        assert query.vector is not None
        rows = nearest(index, query.vector, 3).rows
        out += explain_rows(index, query, rows)
        progress("explain", place, len(asked), "")
    return out


def _retention(
    index: Index, asked: list[Query], judgments: list[Mapping[str, int]] | None, progress: Progress
) -> tuple[float, str]:
    """Ranking a query's best hundred again by reconstructed vectors of both sides."""
    sae, view = index.explainer.sae, index.manifest.views[0]
    plain, kept = [], []
    for place, query in enumerate(asked, 1):
        progress("rank again", place, len(asked), "")
        assert query.vector is not None
        rows = nearest(index, query.vector, 100).rows
        q = l2norm(sae.decode(sae.encode(query.vector[None])))[0]
        scores = l2norm(sae.decode(index.codes(rows, view))) @ q
        plain.append(rows[:DEPTH])
        kept.append(rows[np.argsort(-scores, kind="stable")][:DEPTH])
    if judgments is None:
        kept_of_ten = [np.isin(a, b).mean() for a, b in zip(plain, kept, strict=True)]
        return float(np.mean(kept_of_ten)), "fraction of the best ten kept by reconstructed vectors"
    names = [[[index.document(int(row)).id for row in rows] for rows in side] for side in (plain, kept)]
    before, after = (float(ndcg10_of_rankings(judgments, side).mean()) for side in names)
    return (after / before if before else 0.0), "fraction of NDCG@10 kept by reconstructed vectors"


def _failing(
    index: Index, queries: Any, judgments: Sequence[Mapping[str, int]] | None, progress: Progress
) -> tuple[tuple[Group, ...], int]:
    """Queries without a relevant document in their best ten, by the feature that their wrong hits share most."""
    if judgments is None:
        return (), 0
    groups: dict[int, list[tuple[str, float]]] = {}
    failed = 0
    for place, judged in enumerate(judgments):
        progress("judge", place + 1, len(judgments), "")
        text = queries[place] if isinstance(queries[place], str) else f"query {place + 1}"
        q, _ = index.query_vector(queries[place])
        rows = nearest(index, q, DEPTH).rows
        relevant = {name for name, grade in judged.items() if grade > 0}
        if relevant & {index.document(int(row)).id for row in rows}:
            continue
        failed += 1
        explained = explain_rows(index, Query("", q), rows[:WRONG])
        shares: dict[int, float] = {}
        for one in explained:
            for j, share in ((j, term.share) for term in one.terms for j in term.ids[:1]):
                shares[j] = shares.get(j, 0.0) + share / len(explained)
        if shares:
            worst = max(shares, key=lambda j: shares[j])
            groups.setdefault(worst, []).append((text, shares[worst]))
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return tuple(
        Group(
            j,
            index.explainer.features[j].name,
            round(float(np.mean([share for _, share in found])), 4),
            tuple(text for text, _ in found),
        )
        for j, found in ordered
    ), failed
