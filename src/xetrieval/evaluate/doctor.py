"""Is this explainer good enough for this corpus? Measures the metrics of its model card on the corpus, and advises.

The figures of a card were measured on documents like those it was fitted on. On another corpus the autoencoder
reconstructs less, the remainder of explanations grows, and some features are active on no document. With judged queries
it also measures how much of NDCG reconstructed vectors keep, and groups failing queries by the features of their wrong
hits.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32, l2norm
from ..data.judgments import absent_documents
from ..errors import InputError, MismatchError
from ..explain import Explanation
from ..explain.foreign import unlike
from ..explain.verdict import GOOD, verdict
from ..fitting.own import NEAREST, pair_figures
from ..index import Index
from ..index.ask.drift import drift
from ..index.ask.report import BOILERPLATE
from ..index.search.mode import Query
from ..index.search.ranking import explain_rows
from ..progress import Progress, silent
from ..records import Record
from ..sae.measure import Measured
from .cutoff import Cutoff, ScoreScale, cutoff, ranked_without, scale
from .retrieval import CHUNKS, DEPTH, ndcg10_of_rankings

SAMPLE: Final = 2000  # documents
QUERIES: Final = 200  # at most this many queries (titles if there are no queries)
FEWEST: Final = 100  # documents; with fewer, the figures mean little
WRONG: Final = 3  # explained hits per failing query
SHIPPED_ENCODER: Final = "minilm"
MOST_CHUNKS: Final = 8  # how many chunks of the document itself are skipped among its neighbours
NEEDED: Final = 1_000  # documents; for the effect of fewer or more, see docs/index.md


class Group(NamedTuple):
    """Failing queries, and the feature with the largest share in their wrong hits."""

    feature: int
    name: str
    mean_share: float
    queries: tuple[str, ...]


@dataclass(frozen=True)
class Checkup(Record):
    """Metrics of an index, with those of the model card; None if the card lacks one."""

    documents: int
    cosine: float  # mean cosine between reconstructed and original vectors
    cosine_on_card: float | None
    fvu: float | None  # None: all documents are equal, so there is no variance
    fvu_on_card: float | None
    verdict: str  # good here, partly, not made for this; or that there are too few documents
    why: str  # the figures behind the verdict, and their limits
    pairs: int  # number of pairs behind the next six figures
    pairs_are: str
    explained: float | None  # sum of shares / sum of (score - bias), of the original view
    remainder_fraction: float | None  # sum of |remainder| / sum of |score - bias|
    features: float | None  # mean number of features that a pair shares
    named_fraction: float | None  # shares of features with a label / sum of (score - bias)
    explained_untrained: float | None  # explained by random directions, mean of five seeds
    margin: float | None  # explained - explained_untrained
    remainder: float | None  # sum of |remainder| / sum of |score|
    queries: int
    query_source: str  # "queries", "titles", or "nothing"
    silent: float  # fraction of the features that are active on no document
    saturated: float  # fraction of the features that are active on a quarter of the documents
    unread: float  # fraction of the documents with text past the encoder's limit
    unknown: float  # fraction of the documents of which the encoder knows at most half the tokens
    retention: float | None  # fraction kept of the top ten, or of NDCG@10 if there are judgments
    retention_is: str
    advice: tuple[str, ...]
    failing: tuple[Group, ...]
    failed: int
    judged: int
    scale: ScoreScale | None = None  # None: too few documents
    cutoff: Cutoff | None = None  # the score from which hits have a wanted precision; None: no judgments


class Probe(NamedTuple):
    """A query, and the id of a document that is not ranked for it."""

    query: Query
    own: str | None


def checkup(
    index: Index,
    queries: Sequence[str] | Float32 | None = None,
    judgments: Sequence[Mapping[str, int]] | None = None,
    seed: int = 0,
    progress: Progress = silent,
    own: Sequence[str | None] | None = None,
    precision: float | None = None,
) -> Checkup:
    """Examine an index.

    Args:
        queries: texts, or vectors [q, m]; without them, document titles serve as queries; without titles, figures that
        need queries are left out.
        judgments: for each query, {document id: grade}.
        own: for each query, an id that is not ranked, such as its own if queries are documents.
        precision: with judgments, wanted of the hits at or above the cut-off; None: 0.9.
    Raises:
        InputError: judgments without queries, precision without judgments, a wrong number of them, or an empty index.
    """
    judgments = _judgments(index, queries, judgments, own, precision)
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.permutation(index.alive)[:SAMPLE])
    z = index.vectors(sample)
    read = [index.document(int(row)).read for row in sample]
    measured = Measured(index.explainer.sae)
    measured.add(z, index.codes(sample, index.manifest.views[0]))
    reconstruction = measured.reconstruction()
    probes, source, chosen = _queries(index, queries, own, sample, rng, progress)
    judged = None if judgments is None else [judgments[i] for i in chosen]
    retention, retention_is = _retention(index, probes, judged, progress) if probes else (None, "")
    frequency = index.frequency / max(1, len(index))
    card = index.explainer.metrics.get("original", {})
    failing, failed = _failing(index, queries, own, judgments, progress)
    figures = figures_of(index, probes if source == "queries" else None, sample, z, progress)
    found = Checkup(
        documents=len(index),
        **verdict_of(len(index), figures),
        **figures,
        cosine=round(reconstruction.cosine, 4),
        cosine_on_card=card.get("cosine"),
        fvu=None if np.isnan(reconstruction.fvu) else round(reconstruction.fvu, 4),
        fvu_on_card=card.get("fvu"),
        remainder=_remainder(index, probes, progress),
        queries=len(probes),
        query_source=source,
        silent=round(float((frequency == 0).mean()), 4),
        saturated=round(float((frequency >= BOILERPLATE).mean()), 4),
        unread=round(float(np.mean([reading.unread > 0 for reading in read])), 4),
        unknown=round(float(np.mean([reading.unreadable for reading in read])), 4),
        retention=None if retention is None else round(retention, 4),
        retention_is=retention_is,
        advice=(),
        failing=failing,
        failed=failed,
        judged=0 if judgments is None else len(judgments),
        scale=scale(index, [(one.query.vector, one.own) for one in probes]),
        cutoff=cutoff(index, queries, own, judgments, precision, progress) if judgments else None,
    )
    return replace(found, advice=(*_notes(index, z), *advice(found, refit_command(index))))


def _notes(index: Index, z: Float32) -> tuple[str, ...]:
    """Notes on supplied vectors of a different encoder, and on new documents that are poorly explained."""
    changed, events = drift(index), index.manifest.made_from
    encoded = bool(events) and all(event.get("encoded_with") for event in events)  # its vectors cannot be foreign
    notes = (
        None if encoded else unlike(index.explainer, z, "the vectors of this index"),
        changed and changed.note(index),
    )
    return tuple(note for note in notes if note)


def _judgments(
    index: Index,
    queries: Sequence[str] | Float32 | None,
    judgments: Sequence[Mapping[str, int]] | None,
    own: Sequence[str | None] | None,
    precision: float | None,
) -> Sequence[Mapping[str, int]] | None:
    """The judgments by document; checks that the index can be examined with them."""
    if precision is not None and judgments is None:
        raise InputError("precision needs judgments: only judged hits have one")
    if judgments is not None:
        if queries is None or len(queries) != len(judgments):
            raise InputError("give one set of judgments for each query")
        judgments = [index.by_document(judged) for judged in judgments]
        by_query = {str(place): one for place, one in enumerate(judgments)}
        absent_documents(by_query, lambda name: bool(index.rows_of(name)))
    if own is not None and (queries is None or len(own) != len(queries)):
        raise InputError("give one id or None for each query, as `own`")
    if not len(index):
        raise InputError("every document in this index was deleted; there is nothing to examine")
    return judgments


def advice(
    found: Checkup, refit: str = "xetrieval fit CORPUS --encoder ENCODER --output my-explainer"
) -> tuple[str, ...]:
    """The figures in words, verdict first. `refit` is the command for a refit."""
    lines = []
    remainder = found.remainder or 0.0
    if found.documents < FEWEST:
        return (f"{found.documents} documents are too few: these figures say little",)
    below = None if found.cosine_on_card is None else found.cosine_on_card - found.cosine
    if below is None:
        lines.append("the model card has no figures to compare with; judge by the remainder")
    if (below is not None and below > 0.08) or remainder > 0.4:
        lines.append(
            f"refit: the features explain much less here than where they were learned. {NEEDED:,} documents of this "
            "corpus, with their sentences, give most of the possible gain; a few thousand give nearly all of it; "
            + (f"this one has {found.documents:,}" if found.documents < 3 * NEEDED else "this corpus has enough")
            + f": {refit}"
        )
    elif (below is not None and below > 0.03) or remainder > 0.25:
        lines.append("usable, with care: look at the remainder of each explanation; a refit on this corpus would help")
    elif below is not None and found.verdict == GOOD:
        lines.append("good enough: the explainer captures as much here as its model card says")
    if found.silent > 0.3:
        lines.append(f"{found.silent:.0%} of the features are active on no document: they are about other subjects")
    if found.saturated > 0.02:
        lines.append(
            f"{found.saturated:.1%} of the features are active on a quarter of the documents: too common to be "
            "informative"
        )
    if found.unread > 0.05:
        lines.append(
            f"{found.unread:.0%} of the documents are longer than the encoder reads: build the index from the texts, "
            "without --no-chunks, so that they are cut"
        )
    if found.unknown > 0.05:
        lines.append(
            f"{found.unknown:.0%} of the documents are mostly unknown to the encoder: it was made for other "
            "languages or characters; use a different one"
        )
    if found.retention is not None and found.retention < 0.7:
        lines.append(f"rankings change a lot when only what the features capture is kept ({found.retention_is})")
    if found.remainder is None:
        lines.append("no queries: give --queries FILE to measure how much of the scores is explained")
    return tuple(lines)


def refit_command(index: Index) -> str:
    """The command that trains features on the index's own sources."""
    sources = list(dict.fromkeys(source for one in index.manifest.made_from for source in one["sources"]))
    if index.explainer.encoder_identity.name == SHIPPED_ENCODER:
        words = ["xetrieval", "index", "build", *(sources or ["CORPUS"]), "--dictionary", "corpus"]
        return shlex.join([*words, "--output", "my-index"])
    words = ["xetrieval", "fit", *(sources or ["CORPUS"])]
    words += ["--encoder", index.explainer.encoder_identity.name, "--output", "my-explainer"]
    return shlex.join(words)


def _queries(
    index: Index,
    queries: Sequence[str] | Float32 | None,
    own: Sequence[str | None] | None,
    sample: NDArray[np.int64],
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[list[Probe], str, list[int]]:
    if queries is not None:
        rows = np.sort(rng.permutation(len(queries))[:QUERIES]).tolist()
        out = []
        for place, row in enumerate(rows, 1):
            q, read = index.query_vector(queries[row])
            out.append(Probe(Query("", q, read=read), own[row] if own else None))
            progress("encode", place, len(rows), "queries")
        return out, "queries", rows
    titles = [title for row in sample if (title := index.document(int(row)).title.strip())][:QUERIES]
    out = []
    with suppress(MismatchError):  # an explainer of vectors without texts cannot encode titles
        for place, title in enumerate(titles, 1):
            out.append(Probe(Query(title, index.query_vector(title)[0]), None))
            progress("encode", place, len(titles), "titles")
    return out, "titles" if out else "nothing", list(range(len(out)))


def figures_of(
    index: Index, queries: list[Probe] | None, sample: NDArray[np.int64], z: Float32, progress: Progress
) -> dict[str, Any]:
    """How much of the scores of queries and their three best hits, or documents and their three nearest, is explained.

    Without queries, documents serve as queries, and nothing is encoded. If the features were trained on this corpus,
    held-out rows are used.
    """
    names = ("explained", "remainder_fraction", "features", "named_fraction", "explained_untrained", "margin")
    stored = index.explainer.metrics.get("pairs")
    if (
        queries is None
        and stored
        and index.learned_here
        and len(index.manifest.made_from) == index.explainer.provenance.get("additions", 1)
    ):
        # it was trained on the documents, so held-out rows are fairer queries
        return {"pairs": stored["pairs"], "pairs_are": stored["queries"], **{name: stored.get(name) for name in names}}
    rows = sample[:: max(1, len(sample) // QUERIES)][:QUERIES]
    given = list(index.vectors(rows)) if queries is None else [one.query.vector for one in queries]
    q, documents = [], []

    def whole(row: int) -> str:
        document = index.document(row)
        return document.parent or document.id

    for place, vector in enumerate(given):
        assert vector is not None
        if queries is not None:
            best = ranked_without(index, vector, NEAREST, queries[place].own).rows
        else:
            best = ranked_without(index, vector, NEAREST + MOST_CHUNKS, None).rows
            own = whole(int(rows[place]))
            best = np.array([row for row in best.tolist() if whole(row) != own], np.int64)
        q += [vector] * len(best[:NEAREST])
        documents += best[:NEAREST].tolist()
        progress("compare", place + 1, len(given), "")
    kind = f"{'documents' if queries is None else 'queries'} with their {NEAREST} nearest documents"
    if not documents:
        return {"pairs": 0, "pairs_are": kind, **dict.fromkeys(names)}
    labelled = np.array([feature.label is not None for feature in index.explainer.features])
    found = pair_figures(index.explainer.sae, np.stack(q), index.vectors(np.array(documents, np.int64)), z, labelled)
    return {"pairs": found["pairs"], "pairs_are": kind, **{name: found[name] for name in names}}


def verdict_of(documents: int, figures: Mapping[str, Any]) -> dict[str, Any]:
    if documents < FEWEST or figures["explained"] is None:
        return {"verdict": "too few documents", "why": f"{documents:,} documents are too few to judge by"}
    found = verdict(figures["explained"], figures["explained_untrained"])
    return {"verdict": found.word, "why": found.why}


def _remainder(index: Index, queries: list[Probe], progress: Progress) -> float | None:
    """Sum of |remainder| / sum of |score| of each query's three best hits; scores near 0 would distort a mean."""
    out: list[Explanation] = []
    for place, (query, own) in enumerate(queries, 1):
        out += explain_rows(index, query, ranked_without(index, query.vector, 3, own).rows)
        progress("explain", place, len(queries), "")
    total = sum(abs(one.score) for one in out) or 1.0
    return round(sum(abs(one.remainder) for one in out) / total, 4) if queries else None


def _retention(
    index: Index, queries: list[Probe], judgments: Sequence[Mapping[str, int]] | None, progress: Progress
) -> tuple[float, str]:
    """What is retained when each query's top hundred are reranked by the reconstructed vectors of both sides."""
    sae, view = index.explainer.sae, index.manifest.views[0]
    plain, kept = [], []
    for place, (query, own) in enumerate(queries, 1):
        progress("rank again", place, len(queries), "")
        assert query.vector is not None
        rows = ranked_without(index, query.vector, 100, own).rows
        q = l2norm(sae.decode(sae.encode(query.vector[None])))[0]
        scores = l2norm(sae.decode(index.codes(rows, view))) @ q
        plain.append(rows)
        kept.append(rows[np.argsort(-scores, kind="stable")])
    if judgments is None:
        kept_of_ten = [np.isin(a[:DEPTH], b[:DEPTH]).mean() for a, b in zip(plain, kept, strict=True)]
        return float(np.mean(kept_of_ten)), "fraction of the best ten kept by reconstructed vectors"
    names = [[index.documents_of(rows.tolist())[:DEPTH] for rows in side] for side in (plain, kept)]
    before, after = (float(ndcg10_of_rankings(judgments, side).mean()) for side in names)
    return (after / before if before else 0.0), "fraction of NDCG@10 kept by reconstructed vectors"


def _failing(
    index: Index,
    queries: Sequence[str] | Float32 | None,
    own: Sequence[str | None] | None,
    judgments: Sequence[Mapping[str, int]] | None,
    progress: Progress,
) -> tuple[tuple[Group, ...], int]:
    """Queries without a relevant document in the top ten, grouped by the largest feature of their wrong hits."""
    groups: dict[int, list[tuple[str, float]]] = {}
    failed = 0
    for place, judged in enumerate(judgments or ()):
        assert queries is not None  # judgments belong to queries
        progress("judge", place + 1, len(judgments or ()), "")
        text = queries[place] if isinstance(queries[place], str) else f"query {place + 1}"
        q, _ = index.query_vector(queries[place])
        rows = ranked_without(index, q, CHUNKS * DEPTH, own[place] if own else None).rows
        relevant = {name for name, grade in judged.items() if grade > 0}
        if relevant & set(index.documents_of(rows.tolist())[:DEPTH]):
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
