"""Gathers examples from a corpus in three passes over the stream. Only the chosen texts stay in memory.

1. survey.py: the strongest passages, a uniform sample of the active ones, a uniform sample of all, mean vectors;
2. candidates.py: the silent passages nearest to each feature's mean vector;
3. read.py: the texts of the candidates, from which select.py chooses.
"""

from __future__ import annotations

from typing import NamedTuple

from ...configs import ExamplesConfig
from ...errors import InputError
from ...progress import Progress, silent
from ...sae import SparseAutoencoder
from .base import FeatureExamples
from .blocks import Blocks
from .candidates import choose_candidates, nearest_silent
from .read import read_candidates
from .select import select
from .survey import Survey


class CorpusExamples(NamedTuple):
    """Examples of every feature, and the corpus they come from."""

    features: list[FeatureExamples]
    passages: int
    documents: int
    digest: str  # digest of ids and texts, in order


def gather(
    sae: SparseAutoencoder, blocks: Blocks, config: ExamplesConfig | None = None, progress: Progress = silent
) -> CorpusExamples:
    """Examples of every feature. They depend on the corpus and the seed, not on how the stream is cut into blocks.

    Raises:
        InputError: no passages, or a later pass read different passages from the first.
    """
    config = config or ExamplesConfig()
    survey = Survey(sae, config)
    for block in blocks():
        survey.add(block)
        progress("activations", survey.rows, survey.rows, "")
    if not survey.rows:
        raise InputError("examples: the corpus has no passages")

    hard = nearest_silent(survey, blocks(), sentences=config.per_document > 0, progress=progress)
    candidates = choose_candidates(survey, hard)
    texts = read_candidates(survey, blocks(), candidates, progress)
    features = [
        FeatureExamples(
            feature_id=j,
            documents=int(survey.documents_with[j]),
            frequency=float(survey.frequency[j]) / survey.rows,
            activations=survey.activations(j),
            labelling=select(candidates[0][j], texts[j], config),
            judging=select(candidates[1][j], texts[j], config),
            coactive=survey.coactive(j),
        )
        for j in range(sae.features)
    ]
    return CorpusExamples(features, survey.rows, survey.documents, survey.digest.hexdigest())
