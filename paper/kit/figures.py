"""The paper's figures, each drawn from the records of one measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paper.kit.tables import grouped
from xetrieval.arrays import Float64
from xetrieval.errors import InputError
from xetrieval.evaluate.plots import subplots, write_figure
from xetrieval.intervals import bootstrap

COLOURS = ("#0b6e4f", "#d17a22", "#8e44ad", "#3b6ea5", "#888888")
RANDOM = ("#c9c9c9", "#e6e6e6")
SETS = {
    "xetrieval": "shared, all views",
    "original_view": "shared, original",
    "direct": "raw autoencoder's",
    "control": "not shared",
}
STEERED = {"key": "key", "key_raw_sae": "key, raw autoencoder", "nonkey": "not key", "random": "random"}


def draw_views(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Change of NDCG@10 by views (Table 1): one panel per encoder, one line per system.

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
    """Density of detection scores over features, one panel per judge and kind of silent texts (Fig. 5).

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
    """Erase and keep-only by set of features, for true and false positives, means over the benchmarks (Fig. 7).

    Next to the bar of each set are two random sets of the same size. Whiskers span the benchmarks.

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
                if name != "control":  # outside the control, active features are the shared ones
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
    """A bar for the mean over benchmarks, with whiskers for their range."""
    if values:
        y = sign * np.array(values)
        ends = np.abs(np.array([[y.min()], [y.max()]]) - y.mean())
        axis.bar(x, y.mean(), 0.25, yerr=ends, color=colour, ecolor="#666666", capsize=2)


def _some(records: Iterable[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    found = list(records)
    if not found:
        raise InputError(f"{path}: no records to draw")
    return found


def draw_faithfulness(result: dict[str, Any], path: Path) -> None:
    """Deletion and insertion, means over the benchmarks, by features (or words) taken out or kept.

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    records = result["benchmarks"]
    if not records:
        raise InputError(f"{path}: no records to draw")
    lines: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
        "by share": lambda r: r["orders"]["share"],
        "the same, random order": lambda r: r["orders"]["random"],
        "raw autoencoder, by share": lambda r: r["orders"].get("raw_sae"),
        "words, by what they carry": lambda r: r["words"]["orders"]["attribution"],
        "words, random order": lambda r: r["words"]["orders"]["random"],
    }
    figure, axes = subplots(1, 3, (13, 4))
    for axis, kind in zip(axes, ("deletion", "insertion"), strict=False):
        for place, (name, of) in enumerate(lines.items()):
            curves = [found[kind] for record in records if (found := of(record)) is not None]
            if curves:
                mean = [sum(values) / len(values) for values in zip(*curves, strict=True)]
                axis.plot(records[0]["steps"], mean, marker="osD^v"[place], markersize=4, linewidth=1.2, label=name)
        axis.set_title(f"{kind}: cosine left, over the cosine", fontsize=10)
        axis.set_xlabel("features or words " + ("taken out" if kind == "deletion" else "kept"), fontsize=8)
        axis.grid(alpha=0.3)
    for record in records:
        points = record["explained"]
        marked = record["dataset"] + ("" if record["unseen_in_training"] else " (seen)")
        axes[2].plot([p["features"] for p in points], [p["explained"] for p in points], linewidth=1.1, label=marked)
    axes[2].set_title("explained, by features shown (0: the bias alone)", fontsize=10)
    axes[2].set_xlabel("features shown", fontsize=8)
    axes[2].grid(alpha=0.3)
    axes[1].legend(fontsize=7, frameon=False)
    axes[2].legend(fontsize=6, frameon=False)
    write_figure(figure, path)


def draw_steering(records: Sequence[dict[str, Any]], path: Path) -> None:
    """NDCG@10 against alpha (in the style of Fig. 8), decoded and with the error kept: means over benchmarks.

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    if not records:
        raise InputError(f"{path}: no records to draw")
    groups = list(dict.fromkeys((r["encoder"], r["most_features"]) for r in records))
    figure, axes = subplots(len(groups), 2, (9, 3.2 * len(groups)))
    for row, (encoder, most) in enumerate(groups):
        for column, kept in enumerate((False, True)):
            axis = axes[row][column] if len(groups) > 1 else axes[column]
            some = [r for r in records if (r["encoder"], r["most_features"], r["error_kept"]) == (encoder, most, kept)]
            for place, (name, label) in enumerate(STEERED.items()):
                curves = [record["ndcg10"][name] for record in some if name in record["ndcg10"]]
                if curves:
                    mean = [sum(values) / len(values) for values in zip(*curves, strict=True)]
                    axis.plot(some[0]["alphas"], mean, marker="osD^"[place], markersize=4, linewidth=1.2, label=label)
            axis.set_title(f"{encoder}, up to {most} features, {'error kept' if kept else 'decoded'}", fontsize=9)
            axis.set_xlabel("alpha", fontsize=8)
            axis.set_ylabel(f"NDCG@10, mean of {len(some)} sets", fontsize=8)
            axis.grid(alpha=0.3)
            axis.legend(fontsize=7, frameon=False)
    write_figure(figure, path)


def draw_push(curve: dict[str, Any], path: Path) -> None:
    """The fraction of documents that a proposal for all queries moves far enough, against the harm that is allowed.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure, axis = subplots(1, 1, (5.5, 3.4))
    for place, (direction, label) in enumerate((("down", "pushed down"), ("up", "brought into the top 10"))):
        axis.plot(curve["harm"], curve[direction], marker="os"[place], markersize=4, color=COLOURS[place], label=label)
    axis.axvline(0.05, color="#888888", linewidth=1, linestyle=":")
    axis.set_xlabel("harm allowed: 1 - mean rank-biased overlap of 20 other queries", fontsize=8)
    axis.set_ylabel("fraction of the documents", fontsize=8)
    axis.set_ylim(0, 1)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, frameon=False)
    write_figure(figure, path)


def draw_efficiency(result: dict[str, Any], path: Path) -> None:
    """Seconds (logarithmic) against documents, in the style of Fig. 6; extrapolations are dashed.

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    records = result["sizes"]
    if not records:
        raise InputError(f"{path}: no records to draw")
    sizes = [record["documents"] for record in records]
    figure, axes = subplots(1, 2, (10, 4))
    titles = ("one query", f"{result['queries']} queries (reckoned from {records[0]['timed']})")
    for axis, kind, title in zip(axes, ("one", "many"), titles, strict=True):
        for place, (name, label) in enumerate((("ours", "ours: ids and shares"), ("release", "release's way: ids"))):
            seconds = [record[f"{name}_{kind}"] for record in records]
            axis.plot(sizes, seconds, marker="os"[place], markersize=4, linewidth=1.2, label=label)
        if result["language_model"]:
            each = 3 * result["language_model"]["seconds_a_text"]
            label = f"a language model's texts, extrapolated from {result['language_model']['texts']}"
            axis.plot(sizes, [size * each for size in sizes], linestyle="--", color="gray", label=label)
        axis.set_title(f"every document against {title}", fontsize=10)
        axis.set_xlabel("documents", fontsize=8)
        axis.set_ylabel("seconds", fontsize=8)
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7, frameon=False)
    write_figure(figure, path)
