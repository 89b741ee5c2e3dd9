"""Cross-fitting: internalizers that never saw the documents whose views they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from xetrieval.arrays import Float32
from xetrieval.configs import InternalizerConfig
from xetrieval.encoders import Encoder
from xetrieval.errors import InputError
from xetrieval.fitting.internalizers import learn
from xetrieval.internalizer import Internalizer
from xetrieval.teachers import TeacherPair
from xetrieval.views import View, in_order


class Folds(NamedTuple):
    """Networks that never saw the documents they are used on."""

    of_source: dict[str, int]  # the fold of each lesson's source text
    internalizers: list[dict[View, Internalizer]]  # of each fold, learned from all others


def learn_in_folds(pairs: Sequence[TeacherPair], encoder: Encoder, config: InternalizerConfig, folds: int = 5) -> Folds:
    """For each fold, learn from the other folds. Threads stay whole; the seed of the config deals them.

    Raises:
        InputError: fewer than two folds, or fewer threads than folds.
    """
    threads = sorted({pair.thread for pair in pairs})
    if folds < 2 or len(threads) < folds:
        raise InputError(
            f"{len(threads)} threads cannot form {folds} folds; choose between 2 and the number of threads"
        )
    order = np.random.default_rng(config.seed).permutation(len(threads))
    fold = {threads[row]: int(place % folds) for place, row in enumerate(order)}
    nets = [
        learn([pair for pair in pairs if fold[pair.thread] != held], encoder, config).internalizers
        for held in range(folds)
    ]
    return Folds({pair.source: fold[pair.thread] for pair in pairs}, nets)


def cross_fitted_views(
    folds: Sequence[Mapping[View, Internalizer]], fold_of: Sequence[int], documents: Float32
) -> dict[View, Float32]:
    """R_t(z) of each document by the networks of its fold, which never saw it; each [d, m]."""
    place = np.asarray(fold_of)
    views = {aspect: np.empty_like(documents) for aspect in in_order(folds[0])}
    for fold, nets in enumerate(folds):
        rows = np.flatnonzero(place == fold)
        for aspect, view in views.items():
            view[rows] = nets[aspect](documents[rows])
    return views
