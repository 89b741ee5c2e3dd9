"""From a corpus to examples, in three passes over the stream. Only what is chosen stays in memory.

1. survey.py: the strongest passages, a uniform sample of the active ones, a uniform sample of all, mean vectors;
2. candidates.py: the silent passages nearest to each feature's mean vector;
3. read.py: the texts of the candidates, from which select.py chooses.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ...errors import InputError
from ...progress import Progress, silent
from ...sae import SparseAutoencoder
from .base import FeatureExamples
from .blocks import Blocks
from .candidates import choose_candidates, nearest_silent
from .read import read_candidates
from .select import Counts, select
from .survey import Survey


@dataclass(frozen=True)
class ExamplesConfig:
    """How many texts of each kind a feature gets on either side."""

    top: int = 10
    spread: int = 10
    contrast: int = 10  # random silent texts, and as many hard ones
    per_document: int = 9  # sentences drawn from a document, beside the document itself
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.top, self.spread, self.contrast) < 1 or self.per_document < 0:
            raise InputError("examples: top, spread and contrast >= 1, per_document >= 0")

    def to_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


class Gathered(NamedTuple):
    """Examples of every feature, and the corpus they come from."""

    features: list[FeatureExamples]
    passages: int
    documents: int
    digest: str  # of ids and texts, in order


def gather(
    sae: SparseAutoencoder, blocks: Blocks, config: ExamplesConfig | None = None, progress: Progress = silent
) -> Gathered:
    """Examples of every feature: the same for one corpus and seed, however the stream is cut into blocks.

    Raises:
        InputError: no passages, or a later pass read other passages than the first.
    """
    config = config or ExamplesConfig()
    counts = Counts(config.top, config.spread, config.contrast)
    survey = Survey(sae, counts, config.seed)
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
            labelling=select(candidates[0][j], texts[j], counts),
            judging=select(candidates[1][j], texts[j], counts),
            coactive=survey.coactive(j),
        )
        for j in range(sae.features)
    ]
    return Gathered(features, survey.rows, survey.documents, survey.digest.hexdigest())
