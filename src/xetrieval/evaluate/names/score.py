"""Evaluates filled sheets: how many names fit (by line and by share), and how much of the scores they name.

All figures are sums over the pairs of a group and over its judges. Intervals are 95 % bootstrap intervals over pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float64
from ...errors import InputError
from ...records import Record
from .key import DECOY, NONE, SHOWN, KeyRow
from .sheet import VERDICTS, NameId, Sheet

RESAMPLES: Final = 1000
LEVELS: Final = len(VERDICTS)


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Shares(Record):
    """How the names of a group of pairs were judged."""

    pairs: int
    with_a_name: int  # pairs whose explanation shows a name
    names: int  # judged names, over all judges
    fits: Interval | None  # fractions of the names; None without any
    partly: Interval | None
    not_there: Interval | None
    fits_by_share: Interval | None  # the same fraction, with names weighted by |share|
    partly_by_share: Interval | None
    not_there_by_share: Interval | None
    named: Interval | None  # part of score - bias on judged names; None for decoys
    named_and_holds: Interval | None  # part of score - bias on names that fit or partly fit


@dataclass(frozen=True)
class NamesResult(Record):
    """Verdicts on the names of an index, by group: relevant hits, others (or all hits without judgments), decoys."""

    judges: tuple[str, ...]
    alpha: float | None  # Krippendorff's, ordinal, decoys included; None for one judge, or if all verdicts are equal
    alpha_shown: float | None  # for displayed names only, because agreeing on decoys is easy
    groups: Mapping[str, Shares]


def score_names(key: Sequence[KeyRow], sheets: Sequence[Sheet], seed: int = 0) -> NamesResult:
    """Compare filled sheets with their key.

    Raises:
        InputError: no sheet, two sheets by one judge, or a sheet with verdicts on names that are not in the key.
    """
    if not sheets:
        raise InputError("give at least one filled sheet")
    by = [sheet.judge for sheet in sheets]
    if twice := next((judge for judge in by if by.count(judge) > 1), None):
        raise InputError(f"two sheets are by the judge {twice!r}; give each judge's verdicts once")
    known = {(row.item, row.number): row.name for row in key if row.kind != NONE}
    for sheet in sheets:
        if foreign := sorted(sheet.verdicts.keys() - known.keys()):
            item, number = foreign[0]
            raise InputError(f"the sheet of {sheet.judge} judges name {number} of {item!r}, which is not in the key")
        names = {place: name.removeprefix("'") for place, name in sheet.names.items()}  # see `safe_cell`
        other = next((place for place, name in names.items() if name != known[place].strip().removeprefix("'")), None)
        if other is not None:
            raise InputError(
                f"the sheet of {sheet.judge} was made with a different key: name {other[1]} of {other[0]!r} is "
                f"{sheet.names[other][:40]!r}, in the key {known[other][:40]!r}"
            )
    of_judgment = {True: "relevant hits", False: "other hits", None: "hits"}
    groups: dict[str, Shares] = {}
    for relevant, name in of_judgment.items():
        if rows := [row for row in key if row.relevant is relevant and row.kind != DECOY]:
            groups[name] = _shares(rows, sheets, seed)
    if len(groups) > 1:
        groups["all hits"] = _shares([row for row in key if row.kind != DECOY], sheets, seed)
    if decoys := [row for row in key if row.kind == DECOY]:
        groups["decoys"] = _shares(decoys, sheets, seed)
    every = [sheet.verdicts for sheet in sheets]
    shown = {(row.item, row.number) for row in key if row.kind == SHOWN}
    alone = [{name: verdict for name, verdict in one.items() if name in shown} for one in every]
    judges = tuple(sheet.judge for sheet in sheets)
    return NamesResult(judges, krippendorff_alpha(every), krippendorff_alpha(alone), groups)


def _shares(rows: Sequence[KeyRow], sheets: Sequence[Sheet], seed: int) -> Shares:
    """The figures of a group, from one row of sums per pair: verdicts, their |share|, their share, score - bias."""
    place = {item: i for i, item in enumerate(dict.fromkeys(row.item for row in rows))}
    lines, weights, shares = (np.zeros((len(place), LEVELS)) for _ in range(3))
    whole = np.zeros(len(place))
    for row in rows:
        whole[place[row.item]] = len(sheets) * row.whole
        for sheet in sheets:
            verdict = sheet.verdicts.get((row.item, row.number))
            if verdict is not None:
                at = place[row.item], verdict
                lines[at] += 1
                weights[at] += abs(row.share)
                shares[at] += row.share
    draws = np.random.default_rng(seed).integers(len(place), size=(RESAMPLES, len(place)))
    draws = np.concatenate([np.arange(len(place))[None], draws])
    not_there, partly, fits = (_ratio(lines[:, level], lines.sum(axis=1), draws) for level in range(LEVELS))
    by_share = [_ratio(weights[:, level], weights.sum(axis=1), draws) for level in range(LEVELS)]
    shown = any(row.kind != DECOY for row in rows)
    return Shares(
        len(place),
        len({row.item for row in rows if row.kind == SHOWN}),
        int(lines.sum()),
        fits=fits,
        partly=partly,
        not_there=not_there,
        fits_by_share=by_share[2],
        partly_by_share=by_share[1],
        not_there_by_share=by_share[0],
        named=_ratio(shares.sum(axis=1), whole, draws) if shown else None,
        named_and_holds=_ratio(shares[:, 1:].sum(axis=1), whole, draws) if shown else None,
    )


def _ratio(part: Float64, whole: Float64, draws: NDArray[np.int64]) -> Interval | None:
    """Sum of `part` / sum of `whole`; the first resample contains every pair once."""
    if not whole.sum():
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        values = part[draws].sum(axis=1) / whole[draws].sum(axis=1)
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return Interval(*(round(float(value), 4) for value in (values[0], low, high)))


def krippendorff_alpha(verdicts: Iterable[Mapping[NameId, int]], levels: int = LEVELS) -> float | None:
    """Agreement of any number of judges on ordered values 0 to levels - 1; judges may leave out some names. None if
    undefined: no name has two verdicts, or all verdicts are equal.
    """
    judged: dict[NameId, list[int]] = {}
    for one in verdicts:
        for name, verdict in one.items():
            judged.setdefault(name, []).append(verdict)
    pairs = np.zeros((levels, levels))
    for values in judged.values():
        if len(values) > 1:
            counts = np.bincount(values, minlength=levels)
            pairs += (np.outer(counts, counts) - np.diag(counts)) / (len(values) - 1)
    totals = pairs.sum(axis=1)
    up_to = np.cumsum(totals) - totals / 2  # mid-ranks
    distance = (up_to[:, None] - up_to[None]) ** 2
    by_chance = float((np.outer(totals, totals) * distance).sum())
    if not by_chance:
        return None
    return round(1 - float((totals.sum() - 1) * (pairs * distance).sum()) / by_chance, 4)
