"""Figures from the JSON that measurements left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..data import BadLine, read_json_lines
from ..data.lines import Line
from ..errors import InputError
from ..extras import require
from ..files import check_file
from ..files.atomic import replacing

PANELS: tuple[tuple[str, str, Callable[[dict[str, Any]], float | None]], ...] = (
    ("MSE, original vectors", "lower is better", lambda r: _of(r, "original", "mse")),
    ("MSE, reasoned vectors", "lower is better", lambda r: _of(r, "reasoned", "mse")),
    ("Intruder found by another encoder", "chance 0.1; bars: 95 % interval", lambda r: _of(r, "intruder", "accuracy")),
    ("NDCG@10 kept", "share of that of the vectors", lambda r: _kept(r)),
    ("Dead features", "share", lambda r: r.get("dead")),
    ("Duplicate directions", "share", lambda r: r.get("duplicates")),
)
ENDINGS = ("", ".png", ".pdf", ".svg")  # of a figure; without one it is a PNG
STEERED = {"key": "key", "key_raw_sae": "key, raw autoencoder", "nonkey": "not key", "random": "random"}


def plot_sweep(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Each measure against the L0 reached on held-out original vectors, one line a variant (in the style of Fig. 3).

    Raises:
        InputError: no records. MissingExtra: matplotlib is not installed.
    """
    if not records:
        raise InputError(f"{path}: no records to draw")
    figure, axes = subplots(2, 3, (13, 7))
    variants = list(dict.fromkeys(record["variant"] for record in records))
    for axis, (title, note, value) in zip(axes.flat, PANELS, strict=True):
        for place, variant in enumerate(variants):
            own = sorted((r for r in records if r["variant"] == variant), key=lambda r: float(r["original"]["l0"]))
            points = [(record["original"]["l0"], found) for record in own if (found := value(record)) is not None]
            if points:
                xs, ys = zip(*points, strict=True)
                (line,) = axis.plot(xs, ys, marker="osD^vPX*"[place % 8], markersize=4, linewidth=1.2, label=variant)
                if title.startswith("Intruder"):
                    ends = [(r["intruder"]["low"], r["intruder"]["high"]) for r in own if "intruder" in r]
                    axis.vlines(xs, *zip(*ends, strict=True), colors=line.get_color(), linewidth=0.8, alpha=0.6)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("L0 (active features a vector)", fontsize=8)
        axis.set_ylabel(note, fontsize=8)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3)
        if axis.get_ylim()[0] < 0:  # none of the measures can be
            axis.set_ylim(bottom=0)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9, frameon=False)
    write_figure(figure, path)


def plot_curves(log: Path, path: Path) -> None:
    """Loss, FVU, L0 and dead features of one training against its steps, from log.jsonl.

    Raises:
        InputError: the log is absent or empty. MissingExtra: matplotlib is not installed.
    """
    if not log.is_file():
        raise InputError(f"{log}: no such log")
    found = list(read_json_lines(log))
    bad = next((line for line in found if isinstance(line, BadLine)), None)
    if bad is not None:
        raise bad.error()
    lines = [line.record for line in found if isinstance(line, Line)]
    if not lines:
        raise InputError(f"{log}: holds no steps")
    figure, axes = subplots(2, 2, (9, 6))
    for axis, name in zip(axes.flat, ("loss", "fvu", "l0", "dead"), strict=True):
        axis.plot([line["step"] for line in lines], [line[name] for line in lines], linewidth=1.2)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        axis.grid(alpha=0.3)
    write_figure(figure, path)


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


def draw_efficiency(result: dict[str, Any], path: Path) -> None:
    """Seconds against documents, seconds logarithmic (in the style of Fig. 6); what is extrapolated is dashed.

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


def subplots(rows: int, columns: int, size: tuple[float, float], heights: Sequence[float] | None = None) -> Any:
    require("matplotlib", "plot").use("Agg")
    pyplot = require("matplotlib.pyplot", "plot")
    return pyplot.subplots(rows, columns, figsize=size, height_ratios=heights, constrained_layout=True)


def check_figure(path: Path) -> None:
    """Raise InputError, before long work, where a figure cannot be written under this name."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: a figure is a .png, .pdf or .svg file; choose another name")
    check_file(path)


def write_figure(figure: Any, path: Path) -> None:
    check_figure(path)
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix.lower().lstrip(".") or "png", dpi=130)
    require("matplotlib.pyplot", "plot").close(figure)


def _of(record: dict[str, Any], part: str, name: str) -> float | None:
    found = record.get(part, {}).get(name)
    return None if found is None else float(found)


def _kept(record: dict[str, Any]) -> float | None:
    found = [b["ndcg10_reconstructed"] / b["ndcg10"] for b in record.get("benchmarks", {}).values() if b["ndcg10"]]
    return sum(found) / len(found) if found else None
