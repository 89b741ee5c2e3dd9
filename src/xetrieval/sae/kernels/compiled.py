"""The loops of a training step, compiled for this processor.

Every loop has a fixed order: a row, or a feature, is summed by one thread from its first entry to its last. So results
depend neither on the number of threads nor on how rows are divided among them.

Sums over entries may fuse a product with a sum but not change their order (fastmath "contract"): with full fastmath,
code from numba's cache used a different order from freshly compiled code, and two training runs with the same seed
differed in the last bit. Dot products need reordering to be fast; there, both versions use the same order, and a test
checks it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Wholes = NDArray[np.int64]
Columns = NDArray[np.int32]

BLOCK: Final = 16  # scores per block; a block is read only if its maximum is large enough


@njit(cache=True)
def kth_largest(a: Floats, n: int, k: int) -> Any:
    """The k-th largest of a[:n], by quickselect; reorders a[:n]."""
    low, high, target = 0, n - 1, k - 1
    while low < high:
        pivot = a[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while a[i] > pivot:
                i += 1
            while a[j] < pivot:
                j -= 1
            if i <= j:
                a[i], a[j] = a[j], a[i]
                i += 1
                j -= 1
        if target <= j:
            high = j
        elif target >= i:
            low = i
        else:
            return pivot
    return a[target]


@njit(cache=True)
def _block_maxima(row: Floats, maxima: Floats) -> None:
    whole = len(row) // BLOCK
    for block in range(whole):
        largest = row[block * BLOCK]
        for place in range(1, BLOCK):
            value = row[block * BLOCK + place]
            largest = value if value > largest else largest
        maxima[block] = largest
    if whole < len(maxima):
        largest = row[whole * BLOCK]
        for place in range(whole * BLOCK + 1, len(row)):
            value = row[place]
            largest = value if value > largest else largest
        maxima[whole] = largest


@njit(cache=True)
def _collect(row: Floats, maxima: Floats, bound: Any, hits: Columns, ids: Columns, values: Floats) -> int:
    """All scores >= bound, without branches: each score goes to the next slot, which advances if it is kept."""
    found = 0
    for block in range(len(maxima)):
        hits[found] = block
        found += maxima[block] >= bound
    count = 0
    for hit in range(found):
        first = hits[hit] * BLOCK
        for place in range(first, min(first + BLOCK, len(row))):
            value = row[place]
            ids[count] = place
            values[count] = value
            count += value >= bound
    return count


@njit(cache=True)
def _collect_all(row: Floats, ids: Columns, values: Floats) -> int:
    """All scores of a row with NaN, which comparisons miss: each NaN counts as infinite, so that it is kept."""
    for place in range(len(row)):
        ids[place] = place
        values[place] = np.float32(np.inf) if np.isnan(row[place]) else row[place]
    return len(row)


@njit(parallel=True, cache=True)
def top_k(scores: Floats, k: int, threads: int, ids: Columns, values: Floats) -> None:
    """The k largest of each row. A guess from earlier rows bounds the k-th score; if the guess is too high, the k-th
    largest block maximum is used, as k blocks each have a score at least as large.

    In a row with fewer than k scores other than NaN, NaN counts as the largest and is returned as NaN."""
    rows, features = scores.shape
    blocks = (features + BLOCK - 1) // BLOCK
    share = (rows + threads - 1) // threads
    for thread in prange(threads):
        maxima, hits = np.empty(blocks, np.float32), np.empty(blocks + 1, np.int32)
        some_ids, some, scratch = (
            np.empty(features + 1, np.int32),
            np.empty(features + 1, np.float32),
            np.empty(features + 1, np.float32),
        )
        guess, guessed = np.float32(0), False
        for row in range(thread * share, min(rows, (thread + 1) * share)):
            _block_maxima(scores[row], maxima)
            count = _collect(scores[row], maxima, guess, hits, some_ids, some) if guessed else 0
            broken = False
            if count < k:
                bound = np.float32(-np.inf)
                if blocks > k:
                    scratch[:blocks] = maxima
                    bound = kth_largest(scratch, blocks, k)
                count = _collect(scores[row], maxima, bound, hits, some_ids, some)
            broken = count < k
            if broken:
                count = _collect_all(scores[row], some_ids, some)
            scratch[:count] = some[:count]
            cut = kth_largest(scratch, count, k)
            kept = 0
            for place in range(count):  # fewer than k are larger, so this stays within the row
                ids[row, kept] = some_ids[place]
                values[row, kept] = some[place]
                kept += some[place] > cut
            for place in range(count):
                if kept < k and some[place] == cut:
                    ids[row, kept] = some_ids[place]
                    values[row, kept] = cut
                    kept += 1
            if broken:
                for slot in range(k):
                    values[row, slot] = scores[row, ids[row, slot]]
            if np.isfinite(cut):
                aim = cut - np.float32(0.15) * abs(cut)
                guess = np.float32(0.9) * guess + np.float32(0.1) * aim if guessed else aim
                guessed = True


@njit(parallel=True, cache=True)
def count_above(scores: Floats, bounds: Floats, counts: Wholes) -> None:
    """How many scores of each row exceed the bound of their feature."""
    rows, features = scores.shape
    for row in prange(rows):
        count = 0
        for feature in range(features):
            count += scores[row, feature] > bounds[feature]
        counts[row] = count


@njit(parallel=True, cache=True)
def fill_above(scores: Floats, bounds: Floats, starts: Wholes, ids: Columns, values: Floats) -> None:
    """Write those scores row by row at starts[row], features ascending."""
    for row in prange(len(scores)):
        at, end = starts[row], starts[row + 1]
        feature = 0
        while at < end:
            value = scores[row, feature]
            if value > bounds[feature]:
                ids[at] = feature
                values[at] = value
                at += 1
            feature += 1


@njit(cache=True, fastmath={"contract"})
def _decode_row(x: Floats, columns: Columns, values: Floats, W: Floats, rest: Floats) -> None:
    """rest = x - sum_j values_j W_j, four directions at a time, so that the row is read and written once per four."""
    at, end, m = 0, len(columns), len(x)
    for c in range(m):
        rest[c] = x[c]
    while at + 4 <= end:
        v0, v1, v2, v3 = values[at], values[at + 1], values[at + 2], values[at + 3]
        w0, w1, w2, w3 = W[columns[at]], W[columns[at + 1]], W[columns[at + 2]], W[columns[at + 3]]
        for c in range(m):
            rest[c] -= v0 * w0[c] + v1 * w1[c] + v2 * w2[c] + v3 * w3[c]
        at += 4
    while at < end:
        v0, w0 = values[at], W[columns[at]]
        for c in range(m):
            rest[c] -= v0 * w0[c]
        at += 1


@njit(parallel=True, cache=True)
def decode(starts: Wholes, columns: Columns, values: Floats, W: Floats, x: Floats, error: Floats) -> None:
    """error = x - C W."""
    for row in prange(len(x)):
        at, end = starts[row], starts[row + 1]
        _decode_row(x[row], columns[at:end], values[at:end], W, error[row])


@njit(cache=True, fastmath=True)
def _pull_row(row: Floats, columns: Columns, W: Floats, scale: Any, out: Floats) -> None:
    at, end, m = 0, len(columns), len(row)
    while at + 4 <= end:
        w0, w1, w2, w3 = W[columns[at]], W[columns[at + 1]], W[columns[at + 2]], W[columns[at + 3]]
        s0 = s1 = s2 = s3 = np.float32(0)
        for c in range(m):
            s0 += row[c] * w0[c]
            s1 += row[c] * w1[c]
            s2 += row[c] * w2[c]
            s3 += row[c] * w3[c]
        out[at], out[at + 1], out[at + 2], out[at + 3] = s0 * scale, s1 * scale, s2 * scale, s3 * scale
        at += 4
    while at < end:
        w0, s0 = W[columns[at]], np.float32(0)
        for c in range(m):
            s0 += row[c] * w0[c]
        out[at] = s0 * scale
        at += 1


@njit(parallel=True, cache=True)
def pull(starts: Wholes, columns: Columns, W: Floats, x: Floats, scale: float, out: Floats) -> None:
    """out = scale * <x_i, W_j>, only at the entries (i, j) of the pattern."""
    for row in prange(len(x)):
        at, end = starts[row], starts[row + 1]
        _pull_row(x[row], columns[at:end], W, np.float32(scale), out[at:end])


@njit(parallel=True, cache=True)
def decode_and_pull(
    starts: Wholes, columns: Columns, values: Floats, W: Floats, x: Floats, scale: float, error: Floats, out: Floats
) -> None:
    """`decode`, then `pull` of the row's own error while its directions are still in the processor's cache."""
    for row in prange(len(x)):
        at, end = starts[row], starts[row + 1]
        _decode_row(x[row], columns[at:end], values[at:end], W, error[row])
        _pull_row(error[row], columns[at:end], W, np.float32(scale), out[at:end])


@njit(cache=True)
def transpose(starts: Wholes, columns: Columns, t_starts: Wholes, t_rows: Columns, t_places: Columns) -> None:
    """The pattern by feature: its rows, ascending, and each entry's position among the values. A counting sort."""
    for column in columns:
        t_starts[column + 1] += 1
    for feature in range(len(t_starts) - 1):
        t_starts[feature + 1] += t_starts[feature]
    at = t_starts[:-1].copy()
    for row in range(len(starts) - 1):
        for place in range(starts[row], starts[row + 1]):
            slot = at[columns[place]]
            at[columns[place]] = slot + 1
            t_rows[slot] = row
            t_places[slot] = place


@njit(parallel=True, fastmath={"contract"}, cache=True)
def gather(
    t_starts: Wholes,
    t_rows: Columns,
    t_places: Columns,
    values: Floats,
    x: Floats,
    scale: float,
    first: int,
    last: int,
    threads: int,
    out: Floats,
) -> None:
    """out = scale * C^T x for the features first <= j < last, each summed over its rows in order."""
    m, parts = x.shape[1], threads * 8  # several parts per thread, as features differ in how often they are active
    entries, base = t_starts[last] - t_starts[first], t_starts[first]
    by = np.float32(scale)
    for part in prange(parts):
        low = first + np.searchsorted(t_starts[first:last], base + entries * part // parts)
        high = first + np.searchsorted(t_starts[first:last], base + entries * (part + 1) // parts)
        if part == 0:
            low = first
        if part == parts - 1:
            high = last
        for feature in range(low, high):
            total = out[feature]
            for c in range(m):
                total[c] = 0
            at, end = t_starts[feature], t_starts[feature + 1]
            while at + 4 <= end:
                v0, v1 = values[t_places[at]] * by, values[t_places[at + 1]] * by
                v2, v3 = values[t_places[at + 2]] * by, values[t_places[at + 3]] * by
                x0, x1, x2, x3 = x[t_rows[at]], x[t_rows[at + 1]], x[t_rows[at + 2]], x[t_rows[at + 3]]
                for c in range(m):
                    total[c] += v0 * x0[c] + v1 * x1[c] + v2 * x2[c] + v3 * x3[c]
                at += 4
            while at < end:
                v0, x0 = values[t_places[at]] * by, x[t_rows[at]]
                for c in range(m):
                    total[c] += v0 * x0[c]
                at += 1


@njit(cache=True)
def sums_by_feature(t_starts: Wholes, t_places: Columns, values: Floats, out: Floats) -> None:
    """out_j = sum of the values of feature j's entries."""
    for feature in range(len(out)):
        total = np.float32(0)
        for at in range(t_starts[feature], t_starts[feature + 1]):
            total += values[t_places[at]]
        out[feature] = total


@njit(parallel=True, cache=True)
def make_tangent(gradient: Floats, W: Floats, squares: Any) -> None:
    """gradient_j -= <gradient_j, W_j> W_j for unit rows W_j; squares_j = what is left of its square."""
    for feature in prange(len(W)):
        squares[feature] = _tangent_row(gradient[feature], W[feature])


@njit(cache=True, fastmath=True)
def _tangent_row(row: Floats, w: Floats) -> Any:
    along = np.float32(0)
    for c in range(len(row)):
        along += row[c] * w[c]
    square = np.float32(0)
    for c in range(len(row)):
        rest = row[c] - along * w[c]
        row[c] = rest
        square += rest * rest
    return square
