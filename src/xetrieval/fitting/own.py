"""Train an autoencoder on one corpus, keeping the encoder and internalizers of an existing explainer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..configs import SaeConfig
from ..configs.rule import MOST_ROWS, sae_by_rule
from ..encoders import Encoder
from ..encoders.same import PROBE_FACT
from ..errors import XetrievalError
from ..explain import Explainer
from ..explain.explained import Explained, explained
from ..explain.explainer import REMOVED_LABELS
from ..explain.untrained import ROWS as CONTROL_ROWS
from ..explain.untrained import SEEDS, untrained
from ..features import Feature
from ..labels.relabel import by_person
from ..progress import Progress, silent
from ..sae import SparseAutoencoder, read_sae, write_sae
from ..sae.measure import reconstruction
from ..sae.stack import Stack
from ..sae.train import train_sae
from .carry import SLOWER, Carried, carry_over, most_used
from .labelling import LabelledTexts, Rows, label_features

SAE: Final = "sae.safetensors"
STATE: Final = "sae.state.pt"  # state of an unfinished training run
HELD_OUT: Final = 400  # at most this many rows: a tenth of the sentences, or of the documents if there are no sentences
FEWEST_SENTENCES: Final = 200  # with fewer, documents are held out instead of sentences
NEAREST: Final = 3
BLOCK: Final = 8192
KEPT_FACTS: Final = (PROBE_FACT, REMOVED_LABELS)  # of the encoder, and of what was taken out of its vectors
OWN: Final = "-own"  # suffix of the names of explainers trained on one corpus
TWIN: Final = 0.9999  # texts whose cosine is higher count as the same


class CorpusRows:
    """A corpus as training vectors: its documents, then sentences drawn from them.

    Args:
        owner: the document from which each sentence is taken, [s].
        text: returns the text of a row; None if the corpus has only vectors.
        name: returns the id of a row.
        whole: the source document of each chunk, as a number; None: nothing is chunked.
    """

    def __init__(
        self,
        vectors: Stack,
        owner: NDArray[np.int64],
        text: Callable[[int], str] | None,
        name: Callable[[int], str],
        seed: int = 0,
        whole: NDArray[np.int64] | None = None,
    ) -> None:
        self.vectors, self.owner, self.text, self.name, self.seed = vectors, owner, text, name, seed
        self.documents = len(vectors) - len(owner)
        self.whole = np.arange(self.documents) if whole is None else whole

    @cached_property
    def held_out(self) -> NDArray[np.int64]:
        """Held-out rows, ascending; the queries used for measuring."""
        rng = np.random.default_rng([self.seed, self.documents])
        first, count = (self.documents, len(self.owner)) if len(self.owner) >= FEWEST_SENTENCES else (0, self.documents)
        return np.sort(first + rng.permutation(count)[: min(HELD_OUT, count // 10)])

    @cached_property
    def used(self) -> NDArray[np.int64]:
        """Training rows, ascending: the documents (sampled if there are very many) and the sentences."""
        rows = np.setdiff1d(np.arange(len(self.vectors)), self.held_out, assume_unique=True)
        if len(rows) <= MOST_ROWS:
            return rows
        documents, sentences = rows[rows < self.documents], rows[rows >= self.documents]
        rng = np.random.default_rng([self.seed, MOST_ROWS])
        drawn = np.sort(rng.permutation(documents)[: MOST_ROWS - len(sentences)])
        return np.concatenate([drawn, sentences])

    @property
    def labelled(self) -> LabelledTexts:
        """The training rows, renumbered from 0."""
        used, text = self.used.tolist(), self.text
        place = np.full(len(self.vectors) + 1, -1, np.int64)
        place[self.used] = np.arange(len(used))
        owner = np.concatenate([np.arange(self.documents), self.owner])[self.used]
        return LabelledTexts(
            None if text is None else lambda row: text(used[row]), lambda row: self.name(used[row]), place[owner]
        )


class _Some:
    """Some rows of a stack."""

    def __init__(self, stack: Stack, rows: NDArray[np.int64]) -> None:
        self.stack, self.rows = stack, rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: NDArray[np.int64]) -> Float32:
        return self.stack.take(self.rows[rows])


def learn_own(
    rows: CorpusRows,
    base: Explainer,
    work: Path,
    facts: dict[str, Any],
    progress: Progress = silent,
    *,
    device: str = "cpu",
    again: bool = False,
) -> Explainer:
    """Train an autoencoder by the rule, label its features and measure it. An interrupted run resumes from `work`.

    Args:
        base: gives the encoder and the internalizers.
        facts: what the explainer's card says about the corpus.
        again: carry over the features of `base` that reappear, with their ids and labels.
    Raises:
        InputError: all rows are equal, or too few. MissingExtra: torch or numba is not installed.
    """
    config = sae_by_rule(len(rows.used), seed=rows.seed, device=device)
    if again:
        config = replace(config, learning_rate=config.rate / SLOWER)
    used = _Some(rows.vectors, rows.used)
    start = most_used(base.sae, used, config.features) if again else None
    sae = _trained(rows, config, work, start, progress)
    kept: dict[int, Feature] = {}
    if again:
        carried = carry_over(base.sae, sae, used)
        sae, kept = carried.sae, {j: base.features[j] for j in carried.kept}
        facts = facts | again_facts(base, carried)
    progress("name", 0, sae.features, "")
    features = label_features(sae, used, rows.labelled, _encoder(base), kept=kept)
    progress("name", sae.features, sae.features, f"{sum(feature.label is not None for feature in features)} named")
    provenance = {
        **facts,
        **{key: fact for key, fact in base.provenance.items() if key in KEPT_FACTS},
        "documents": rows.documents,
        "sentences": len(rows.owner),
        "learned_from": len(rows.used),
        "encoder_and_views_of": base.name,
        "config": config.to_dict(),
    }
    frequency = np.array([feature.frequency for feature in features])[~sae.retired]
    metrics = {
        **measure_own(sae, rows, np.array([feature.label is not None for feature in features])),
        "dead_features": int((frequency == 0).sum()),
        "dense_features": int((frequency > 0.1).sum()),
    }
    return replace(
        base,
        name=base.name.removesuffix(OWN) + OWN,
        sae=sae,
        features=features,
        families=(),
        provenance=provenance,
        metrics=metrics,
    )


def _trained(
    rows: CorpusRows, config: SaeConfig, work: Path, start: SparseAutoencoder | None, progress: Progress
) -> SparseAutoencoder:
    """The trained autoencoder, kept in `work` until the explainer is saved."""
    if not (work / SAE).is_file():
        trained = train_sae(
            rows.vectors,
            config,
            lambda step: progress("learn", step.step, step.steps, step.note),
            rows.used,
            work / STATE,
            start=start,
        )
        write_sae(trained, work / SAE, half=True)
    (work / STATE).unlink(missing_ok=True)
    return read_sae(work / SAE, k=config.used_k if config.kind.architecture == "topk" else None)


def lost_labels(features: Iterable[Feature]) -> dict[str, str]:
    """Human-written labels of lost features, by id."""
    return {str(one.feature_id): one.label for one in features if one.label and by_person(one.source)}


def again_facts(base: Explainer, carried: Carried) -> dict[str, Any]:
    """What the card says about an autoencoder that was trained again."""
    before = base.provenance
    return {
        "carried_over": len(carried.kept),
        "new_features": len(carried.new),
        "lost_features": sum(base.features[j].frequency > 0 for j in carried.lost),
        "earlier": [*before.get("earlier", ()), base.sae.digest],
        "lost_labels": {**before.get("lost_labels", {}), **lost_labels(base.features[j] for j in sorted(carried.lost))},
    }


def _encoder(base: Explainer) -> Encoder | None:
    """The encoder for label terms; None if it cannot be opened here, for example if only vectors exist."""
    try:
        return base.encoder
    except XetrievalError:
        return None


def measure_own(sae: SparseAutoencoder, rows: CorpusRows, named: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """How well held-out rows are reconstructed, and how much of their scores with others is explained."""
    held = rows.vectors.take(rows.held_out)
    metrics: dict[str, Any] = {"held_out_rows": len(held)}
    if len(held) > 1:
        metrics["original"] = reconstruction(sae, held).on_card()
    own = np.array(
        [rows.owner[row - rows.documents] if row >= rows.documents else row for row in rows.held_out], np.int64
    )
    query, document = nearest_others(held, rows.whole[own], rows.vectors, rows.whole)
    if len(query):
        z, corpus = rows.vectors.take(document), rows.vectors.take(_spread(rows.documents))
        figures = pair_figures(sae, held[query], z, corpus, named)
        kind = "sentences" if len(rows.held_out) and rows.held_out[0] >= rows.documents else "documents"
        metrics["pairs"] = {**figures, "queries": f"held-out {kind}, each with its {NEAREST} nearest other documents"}
    return metrics


def pair_figures(
    sae: SparseAutoencoder, q: Float32, z: Float32, corpus: Float32, named: NDArray[np.bool_] | None = None
) -> dict[str, Any]:
    """How much of the scores of pairs a dictionary's features explain, and how much untrained ones do.

    Args:
        q, z: the vectors of each pair [n, m].
        corpus: vectors from whose covariance the untrained directions are drawn.
        named: which features have a label, [F].
    """
    found = explained(sae, q, z, named)
    controls: list[Explained] = [explained(one, q, z) for one in untrained(sae, corpus, seeds=range(SEEDS))]
    by_chance = float(np.mean([one.explained for one in controls]))
    figures = {
        "explained": found.explained,
        "remainder_fraction": found.remainder,
        "features": found.features,
        "nothing_shared": found.nothing_shared,
        **({} if found.named is None else {"named_fraction": found.named}),
        "explained_untrained": by_chance,
        "margin": found.explained - by_chance,
    }
    return {"pairs": found.pairs, **{key: round(value, 4) for key, value in figures.items()}}


def nearest_others(
    queries: Float32, own: NDArray[np.int64], vectors: Rows, whole: NDArray[np.int64], count: int = NEAREST
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each query, its nearest documents, excluding chunks of the same document and exact copies.

    Args:
        own: the source document of each query. whole: the source document of each chunk.
    Returns:
        Pairs (query, row of a document).
    """
    best = np.full((len(queries), count), -np.inf, np.float32)
    row_of = np.full((len(queries), count), -1, np.int64)
    for start in range(0, len(whole), BLOCK):
        rows = np.arange(start, min(len(whole), start + BLOCK))
        scores = np.asarray(queries @ vectors.take(rows).T, np.float32)
        scores[(own[:, None] == whole[rows]) | (scores > TWIN)] = -np.inf
        both = np.concatenate([best, scores], axis=1)
        ids = np.concatenate([row_of, np.broadcast_to(rows, scores.shape)], axis=1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :count]
        best, row_of = np.take_along_axis(both, order, 1), np.take_along_axis(ids, order, 1)
    query, rank = np.nonzero(np.isfinite(best))
    return query, row_of[query, rank]


def _spread(documents: int) -> NDArray[np.int64]:
    """Rows used to compute the covariance of the corpus."""
    if documents <= CONTROL_ROWS:
        return np.arange(documents)
    return np.linspace(0, documents - 1, CONTROL_ROWS).astype(np.int64)
