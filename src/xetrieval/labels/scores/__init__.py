"""How well labels describe their features, on texts that no labeller saw. One score per file; `registry` lists them.

detection a judge who knows only the label tells active texts from silent ones (paper, section 7; chance 0.5)
fuzz        the same for parts of texts: one of two sentences is marked, the active or the silent one (chance 0.5)
intruder    no label: which of nine strong texts and one silent text does not belong? (paper, section 6; chance 0.1;
            features active on at least 50 documents)

Active texts are spread over the feature's activation range, or only the strongest: most activations are weak, and
labels describe those worst. Silent texts are random, or hard: those nearest to the active ones. Detection and fuzz are
the fraction of (active, silent) pairs that the judge orders correctly; ties count half. For a judge that answers yes or
no on equal numbers of both, this is its accuracy.
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
