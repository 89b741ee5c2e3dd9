"""The second pass: silent passages similar to each feature's active ones, and all candidates of each feature by row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...arrays import l2norm
from ...progress import Progress
from .best import Best, active_entries, priority
from .blocks import Block
from .select import SPARE, Candidates
from .survey import SIDES, Survey

FEATURES_AT_ONCE = 256  # limits the memory used by random draws


def nearest_silent(survey: Survey, blocks: Iterable[Block], *, sentences: bool, progress: Progress) -> Best:
    """For each side and feature, the silent passages nearest to the mean of the active ones.

    Args:
        sentences: consider only sentences, not whole documents.
    """
    sae, done = survey.sae, 0
    hard = Best(SIDES * sae.features, SPARE * survey.config.contrast)
    centres = np.zeros((sae.features, sae.dimension), np.float32)
    alive = np.flatnonzero(survey.frequency)
    centres[alive] = l2norm(survey.sums[alive])
    for block in blocks:
        nearness = block.vectors @ centres.T
        row, feature, _ = active_entries(sae.encode(block.vectors, bulk=True))
        nearness[row, feature] = -np.inf
        if sentences:
            nearness[[p.whole for p in block.passages]] = -np.inf
        sides = block.sides(survey.seed)
        for side in range(SIDES):
            rows = np.flatnonzero(sides == side)
            width = min(hard.rows.shape[1], len(rows))
            if not width:
                continue
            # Only the `width` nearest rows of a block can be among the nearest of the corpus.
            own = nearness[rows]
            nearest = np.argpartition(-own, width - 1, axis=0)[:width]
            key = np.take_along_axis(own, nearest, axis=0)
            group = np.broadcast_to(survey.group(side, np.arange(sae.features)), nearest.shape)
            silent = np.isfinite(key)
            hard.add(group[silent], rows[nearest[silent]] + done, key[silent], key[silent])
        done += len(block.passages)
        progress("neighbours", done, survey.rows, "")
    return hard


def choose_candidates(survey: Survey, hard: Best) -> list[list[Candidates]]:
    """For each side and feature, the rows from which its examples are selected."""
    sides = []
    for side in range(SIDES):
        random = _random_silent(survey, side)
        groups = [int(survey.group(side, j)) for j in range(survey.sae.features)]
        sides.append(
            [
                Candidates(
                    top=survey.top.entries(group),
                    sample=survey.sample.entries(group)[: SPARE * survey.config.spread],  # still a uniform sample
                    random=random.of(j).tolist(),
                    hard=hard.of(group).tolist(),
                )
                for j, group in enumerate(groups)
            ]
        )
    return sides


def _random_silent(survey: Survey, side: int) -> Best:
    """For each feature, some silent passages drawn uniformly from the side's pool."""
    features = survey.sae.features
    rows = np.sort(survey.pool.of(side))
    random = Best(features, SPARE * survey.config.contrast)
    active = np.zeros((features, len(rows)), bool)
    for column, row in enumerate(rows.tolist()):
        codes = survey.pool_codes[row]
        active[codes.features[codes.values > 0], column] = True
    for start in range(0, features, FEATURES_AT_ONCE):
        feature, columns = np.nonzero(~active[start : start + FEATURES_AT_ONCE])
        key = priority(survey.seed + 2, rows[columns], feature + start)
        random.add(feature + start, rows[columns], key, key.astype(np.float32))
    return random
