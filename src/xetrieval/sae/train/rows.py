"""Training rows, from memory or larger files: checked once, then drawn in an order determined by the seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...errors import InputError
from ..stack import CHECKED, Stack

BLOCK = 256  # how many adjacent rows of a file are read together
WINDOW_BYTES = 64 << 20  # size of the blocks that are shuffled together
BadRows = Literal["refuse", "drop"]


class Checked(NamedTuple):
    """The usable rows, and how many are unusable."""

    rows: NDArray[np.int64]
    zero: int
    not_finite: int


def check_rows(stack: Stack, rows: NDArray[np.int64], bad_rows: BadRows = "refuse", least: int = 2) -> Checked:
    """Find rows that are zero, NaN or infinite, in one pass with constant memory.

    Raises:
        InputError: there are such rows and `bad_rows` is not "drop", or fewer than `least` rows are left.
    """
    zero: list[NDArray[np.int64]] = []
    broken: list[NDArray[np.int64]] = []
    for start in range(0, len(rows), CHECKED):
        some = rows[start : start + CHECKED]
        x = stack.take(some)
        size = np.abs(x).max(axis=1)  # NaN and infinity carry over
        broken.append(some[~np.isfinite(size)])
        zero.append(some[size == 0])
    zeros, brokens = np.concatenate([*zero, np.empty(0, np.int64)]), np.concatenate([*broken, np.empty(0, np.int64)])
    bad = np.concatenate([zeros, brokens])
    if len(bad) and bad_rows != "drop":
        kind = f"{len(brokens)} rows with NaN or infinite numbers and {len(zeros)} zero rows"
        remedy = "fix or drop them (--bad-rows drop)" if least > 1 else "fix or remove them"  # of training alone
        raise InputError(f"vectors: {kind}, the first is row {int(bad.min())}; {remedy}")
    usable = np.setdiff1d(rows, bad) if len(bad) else rows
    if len(usable) < least:
        raise InputError(f"autoencoder: {len(usable)} rows are too few to train on")
    return Checked(usable, len(zeros), len(brokens))


def window_rows(dimension: int) -> int:
    """How many rows of that dimension are shuffled together if there are too many for memory."""
    return WINDOW_BYTES // (4 * dimension)


def batches(stack: Stack, rows: NDArray[np.int64], size: int, seed: int, epoch: int, skip: int) -> Iterator[Float32]:
    """The batches [size, m] of one epoch, starting at batch `skip`; the last may be smaller.

    Rows that fit into one window are all shuffled together. Otherwise, blocks of adjacent rows are assigned to windows
    at random, and the rows of a window are shuffled, so files are read in runs and only one window is in memory.
    """
    rng = np.random.default_rng([seed, epoch])
    window_batches = max(1, window_rows(stack.shape[1]) // size)
    window = window_batches * size
    x = None
    if len(rows) <= window:
        order = rng.permutation(len(rows))
    else:
        blocks = rng.permutation((len(rows) + BLOCK - 1) // BLOCK)
        order = (blocks[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)
        order = order[order < len(rows)]
    for start in range(0, len(order), window):
        inside = order[start : start + window]
        if len(rows) > window:
            inside = rng.permutation(inside)
        first = start // size
        if first + window_batches <= skip:
            continue
        del x  # only one window in memory
        x = stack.take(rows[inside])
        for offset in range(0, len(inside), size):
            if first + offset // size >= skip:
                yield x[offset : offset + size].copy()  # a view would keep its window in memory
