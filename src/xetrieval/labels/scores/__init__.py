"""How well labels describe their features, on texts that no labeller saw. One file a score; `registry` lists them.

detection   a judge that knows only the label tells active texts from silent ones (paper, section 7; chance 0.5)
fuzz        the same for parts of texts: of two sentences one is marked, the active or the silent one (chance 0.5)
intruder    no label: which of nine strong texts and one silent text does not belong? (paper, section 6; chance 0.1;
            features active on at least 50 documents)

Active texts are spread over the feature's activation range, or are its strongest alone: most activations are weak, and
labels describe those worst. Silent texts are drawn at random, or hard: those nearest to the active ones. Detection and
fuzz give the fraction of (active, silent) pairs that the judge puts in the right order, ties counting half; for a judge
that answers yes or no on equal numbers of both, that is its accuracy.
"""

from ...configs import ScoresConfig
from .base import LabelScore, right_order
from .run import LabelScores, Question, fit_to_examples, questions, score_labels
from .table import SCORES

__all__ = [
    "SCORES",
    "LabelScore",
    "LabelScores",
    "Question",
    "ScoresConfig",
    "fit_to_examples",
    "questions",
    "right_order",
    "score_labels",
]
