"""Plots of measurements, from their JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..data import BadLine, read_json_lines
from ..data.lines import Line
from ..errors import InputError
from ..extras import require
from ..files import check_file
from ..files.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS: tuple[tuple[str, str, Callable[[dict[str, Any]], float | None]], ...] = (
    ("MSE, original vectors", "lower is better", lambda r: _of(r, "original", "mse")),
    ("MSE, reasoned vectors", "lower is better", lambda r: _of(r, "reasoned", "mse")),
    (
        "Intruder found by a different encoder",
        "chance 0.1; bars: 95 % interval",
        lambda r: _of(r, "intruder", "accuracy"),
    ),
    ("NDCG@10 kept", "fraction of that of the vectors", lambda r: _kept(r)),
    ("Dead features", "fraction", lambda r: r.get("dead")),
    ("Duplicate directions", "fraction", lambda r: r.get("duplicates")),
)
ENDINGS = ("", ".png", ".pdf", ".svg")  # file extensions; without one, a figure is a PNG


def plot_sweep(records: Sequence[dict[str, Any]], path: Path) -> None:
    """Each measure against the L0 on held-out original vectors, one line per variant (in the style of Fig. 3).

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
        axis.set_xlabel("L0 (active features per vector)", fontsize=8)
        axis.set_ylabel(note, fontsize=8)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3)
        if axis.get_ylim()[0] < 0:  # no measure can be negative
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
        raise bad
    lines = [line.record for line in found if isinstance(line, Line)]
    if not lines:
        raise InputError(f"{log}: contains no steps")
    figure, axes = subplots(2, 2, (9, 6))
    for axis, name in zip(axes.flat, ("loss", "fvu", "l0", "dead"), strict=True):
        axis.plot([line["step"] for line in lines], [line[name] for line in lines], linewidth=1.2)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        axis.grid(alpha=0.3)
    write_figure(figure, path)


def subplots(
    rows: int, columns: int, size: tuple[float, float], heights: Sequence[float] | None = None
) -> tuple[Figure, NDArray[Any]]:
    require("matplotlib", "plot").use("Agg")
    pyplot = require("matplotlib.pyplot", "plot")
    figure, axes = pyplot.subplots(rows, columns, figsize=size, height_ratios=heights, constrained_layout=True)
    return figure, axes


def check_figure(path: Path) -> None:
    """Raise InputError, before long work, if a figure cannot be written under this name."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: a figure is a .png, .pdf or .svg file; choose another name")
    check_file(path)


def write_figure(figure: Figure, path: Path) -> None:
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
