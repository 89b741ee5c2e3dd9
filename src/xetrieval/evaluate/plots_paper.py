"""The paper's figures that compare systems, each from the records of one measurement (see `plots` for the others)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Float64
from ..errors import InputError
from ..intervals import bootstrap
from .plots import subplots, write_figure
from .tables import grouped

COLOURS = ("#0b6e4f", "#d17a22", "#8e44ad", "#3b6ea5", "#888888")
RANDOM = ("#c9c9c9", "#e6e6e6")
SETS = {
    "xetrieval": "shared, all views",
    "original_view": "shared, original",
    "direct": "raw autoencoder's",
    "control": "not shared",
}


def draw_views(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Change of NDCG@10 by views (Table 1): a panel an encoder, a line a system.

    A diamond is the mean over sets with its 95 % interval, a dot a single set; of one set, its own interval.
    Sets that share their source with teacher texts are left out, as in the table.

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    changed = [r for r in _some(records, path) if r["system"] != "none" and not r.get("teacher_seen")]
    encoders = grouped(changed, lambda record: record["encoder"])
    lines = [grouped(own, _system) for own in encoders.values()]
    heights = [len(systems) + 1.5 for systems in lines]
    figure, axes = subplots(len(lines), 1, (10, 0.32 * sum(heights) + 0.5), heights)
    for axis, encoder, systems in zip(np.ravel(axes), encoders, lines, strict=True):
        for place, some in enumerate(systems.values()):
            deltas = np.array([record["delta"] for record in some])
            mean, low, high = bootstrap(deltas) if len(some) > 1 else (deltas[0], some[0]["ci_low"], some[0]["ci_high"])
            axis.plot(deltas, [place] * len(some), "o", color="#999999", markersize=3)
            ends = [[mean - low], [high - mean]]
            colour = COLOURS[2] if low > 0 else COLOURS[1] if high < 0 else COLOURS[3]
            axis.errorbar([mean], [place], xerr=ends, fmt="D", markersize=5, linewidth=2, color=colour)
        axis.axvline(0, color="#888888", linewidth=1)
        axis.set_yticks(range(len(systems)), systems, fontsize=8)
        axis.set_ylim(len(systems) - 0.4, -0.6)
        most = max(map(len, systems.values()))
        axis.set_title(f"{encoder}, {most} sets" if most > 1 else encoder, fontsize=9, loc="left")
        axis.grid(alpha=0.25, axis="x")
    figure.supxlabel("NDCG@10 less the encoder's own, points; diamond: mean and 95 % interval; dot: a set", fontsize=8)
    write_figure(figure, path)


def _system(record: dict[str, Any]) -> str:
    weights = "learned weights" if isinstance(record["weights"], list) else "plain sum"
    if record["system"] == "cot":
        return f"the teacher's own texts; {weights}"
    form = "paper's form" if record["form"] == "paper" else record["form"]
    return f"{form}; {weights}; teacher: {record['teacher']}"


def draw_raw_and_reasoned(records: Sequence[dict[str, Any]], path: Path) -> None:
    """FVU, mean squared error and active features of each kind of vectors, by the autoencoder's target L0 (Fig. 4).

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    some = [r for r in _some(records, path) if not r["with_sets"] and r["variant"] == "topk"]
    figure, axes = subplots(1, 3, (12, 3.8))
    panels = (
        ("fvu", "FVU with 95 % intervals"),
        ("mse", "mean squared error"),
        ("features_active_equal", "features active, equal rows"),
    )
    for axis, (key, title) in zip(axes, panels, strict=True):
        for place, kind in enumerate(some[0]["kinds"] if some else ()):
            colour = COLOURS[place % 5]
            at: dict[float, list[float]] = {}
            for record in some:
                at.setdefault(record["target_l0"], []).append(record["kinds"][kind][key])
            xs = sorted(at)
            means = [float(np.mean(at[x])) for x in xs]
            axis.plot(xs, means, marker="osD^"[place % 4], markersize=4, label=kind, color=colour)
            if key == "fvu":
                ends = [record["kinds"][kind]["fvu_ci"] for record in some]
                axis.vlines([record["target_l0"] for record in some], *zip(*ends, strict=True), color=colour)
        axis.set_title(f"{title}, topk", fontsize=10)
        axis.set_xlabel("target L0", fontsize=8)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7, frameon=False)
    write_figure(figure, path)


def draw_detection(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Density of detection scores over features, a panel a judge and kind of silent texts (Fig. 5).

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    some = [record for record in _some(records, path) if record["kind"] == "detection"]
    panels = list(dict.fromkeys((record["judge"], record["negatives"]) for record in some))
    figure, axes = subplots(1, len(panels), (4.4 * len(panels), 3.6))
    grid = np.linspace(0, 1, 201)
    for axis, panel in zip(np.ravel(axes), panels, strict=True):
        for record in some:
            if (record["judge"], record["negatives"]) == panel:
                names = list(dict.fromkeys(r["autoencoder"] for r in some))
                label = f"{record['autoencoder']} ({record['mean']:.2f})"
                colour = COLOURS[names.index(record["autoencoder"]) % 5]
                axis.plot(grid, density(record["values"], grid), label=label, color=colour, linewidth=1.6)
        axis.axvline(0.5, color="#bbbbbb", linewidth=1, linestyle=":")
        axis.set_title(f"judge {panel[0].split(':')[0]}, silent texts {panel[1]}", fontsize=9)
        axis.set_xlabel("detection score of a feature; dotted: chance", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=7, frameon=False)
    write_figure(figure, path)


def density(values: Sequence[float], grid: Float64) -> Float64:
    """A Gaussian kernel density of `values` on `grid` [g], its width by Scott's rule and at least 0.02."""
    x = np.asarray(values, np.float64)
    width = max(0.02, 1.06 * float(x.std()) * len(x) ** -0.2)
    return np.asarray(np.exp(-0.5 * ((grid[:, None] - x) / width) ** 2).mean(1) / (width * np.sqrt(2 * np.pi)))


def draw_intervention(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Erase and keep-only by set of features, true and false positives apart, means over the benchmarks (Fig. 7).

    Bars are the sets; beside each stand the two random ones of its size. Whiskers span the benchmarks.

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    some = _some(records, path)
    figure, axes = subplots(2, 2, (11, 7))
    kinds = (
        ("erase", -1.0, "erased: change of the cosine"),
        ("keep_only", 1.0, "nothing else kept: change of the cosine"),
    )
    for row, (key, sign, title) in zip(axes, kinds, strict=True):
        for axis, part, whose in zip(row, ("tp", "fp"), ("true positives", "false positives"), strict=True):
            for place, name in enumerate(SETS):
                found = [r["sets"][name][part] for r in some if name in r["sets"] and key in r["sets"][name][part]]
                _bar(axis, place - 0.27, sign, [figures[key] for figures in found], COLOURS[place])
                if name != "control":  # active ones outside the control are the shared ones
                    _bar(axis, place, sign, [figures[f"{key}_random"] for figures in found], RANDOM[0])
                _bar(axis, place + 0.27, sign, [figures[f"{key}_random_live"] for figures in found], RANDOM[1])
            axis.axhline(0, color="#888888", linewidth=1)
            axis.set_xticks(range(len(SETS)), SETS.values(), fontsize=7)
            axis.set_title(f"{title}, {whose}", fontsize=9)
            axis.grid(alpha=0.25, axis="y")
    note = "grey: as many random features active in the document; pale: live ones of like frequency; whiskers: all sets"
    figure.supxlabel(note, fontsize=8)
    write_figure(figure, path)


def _bar(axis: Any, x: float, sign: float, values: Sequence[float], colour: str) -> None:
    """The mean of one value a benchmark, and the span of all."""
    if values:
        y = sign * np.array(values)
        ends = np.abs(np.array([[y.min()], [y.max()]]) - y.mean())
        axis.bar(x, y.mean(), 0.25, yerr=ends, color=colour, ecolor="#666666", capsize=2)


def _some(records: Iterable[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    found = list(records)
    if not found:
        raise InputError(f"{path}: no records to draw")
    return found
