"""The paper's figures that compare systems, each from the records of one measurement (see `plots` for the others)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Float64
from ..errors import InputError
from .plots import subplots, write_figure

COLOURS = ("#0b6e4f", "#d17a22", "#8e44ad", "#3b6ea5", "#888888")
RANDOM = ("#c9c9c9", "#e6e6e6")
SETS = {
    "xetrieval": "shared, all views",
    "original_view": "shared, original",
    "direct": "raw autoencoder's",
    "control": "not shared",
}


def draw_views(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Change of NDCG@10 by views (Table 1): a panel an encoder, a group a set, with the intervals of single sets.

    A star marks sets that share their source with teacher texts.

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    changed = [record for record in _some(records, path) if record["system"] != "none"]
    encoders = list(dict.fromkeys(record["encoder"] for record in changed))
    figure, axes = subplots(len(encoders), 1, (11, 3.4 * len(encoders)))
    for axis, encoder in zip(np.ravel(axes), encoders, strict=True):
        own = [record for record in changed if record["encoder"] == encoder]
        sets = list(dict.fromkeys(record["dataset"] for record in own))
        systems = list(dict.fromkeys(_system(record) for record in own))
        for place, system in enumerate(systems):
            found = {record["dataset"]: record for record in own if _system(record) == system}
            x = [sets.index(name) + (place - len(systems) / 2 + 0.5) * 0.8 / len(systems) for name in found]
            deltas = np.array([r["delta"] for r in found.values()])
            ends = np.abs(np.array([[r["ci_low"], r["ci_high"]] for r in found.values()]).T - deltas)
            axis.errorbar(x, deltas, yerr=ends, fmt="osD^vP*X<>"[place % 10], markersize=4, linewidth=1, label=system)
        axis.axhline(0, color="#bbbbbb", linewidth=1)
        seen = {record["dataset"] for record in own if record.get("teacher_seen")}
        axis.set_xticks(range(len(sets)), [f"{n}*" if n in seen else n for n in sets], fontsize=8, rotation=15)
        axis.set_title(f"{encoder}: NDCG@10 against the encoder alone, points", fontsize=10)
        axis.legend(fontsize=6, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        axis.grid(alpha=0.25, axis="y")
    write_figure(figure, path)


def _system(record: dict[str, Any]) -> str:
    weights = "learned" if isinstance(record["weights"], list) else "sum"
    return ", ".join(filter(None, (record["system"], record["form"], record["teacher"], weights)))


def draw_raw_and_reasoned(records: Sequence[dict[str, Any]], path: Path) -> None:
    """FVU, mean squared error and active features of each kind of vectors, by the autoencoder's target L0 (Fig. 4).

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    some = [r for r in _some(records, path) if not r["with_sets"] and r["variant"] == "topk"]
    figure, axes = subplots(1, 3, (12, 3.8))
    panels = (("fvu", "FVU"), ("mse", "mean squared error"), ("features_active_equal", "features active, equal rows"))
    for axis, (key, title) in zip(axes, panels, strict=True):
        for place, kind in enumerate(some[0]["kinds"] if some else ()):
            at: dict[float, list[float]] = {}
            for record in some:
                at.setdefault(record["target_l0"], []).append(record["kinds"][kind][key])
            xs = sorted(at)
            means = [float(np.mean(at[x])) for x in xs]
            axis.plot(xs, means, marker="osD^"[place % 4], markersize=4, label=kind, color=COLOURS[place % 5])
        axis.set_title(f"{title}, topk", fontsize=10)
        axis.set_xlabel("L0", fontsize=8)
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
        axis.set_xlabel("detection score of a feature", fontsize=8)
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
    note = "grey: as many random features, active in the document; pale: live ones of like frequency"
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
