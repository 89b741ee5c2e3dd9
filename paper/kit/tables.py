"""The paper's tables, from the records of measurements, as Markdown.

Means over sets with 95 % intervals from drawing sets again; the records have the intervals of single sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from xetrieval.intervals import bootstrap

Record = dict[str, Any]


def markdown(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table."""
    body = "".join(f"| {' | '.join(str(cell) for cell in row)} |\n" for row in rows)
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n{body}"


def over_sets(values: Iterable[float], digits: int = 3, sign: str = "") -> str:
    """MEAN (LOW to HIGH) of one value a set; a single value has no interval, none is -."""
    found = np.array(list(values), np.float64)
    if not len(found):
        return "-"
    mean, low, high = bootstrap(found)
    text = f"{mean:{sign}.{digits}f}"
    return text if len(found) < 2 else f"{text} ({low:{sign}.{digits}f} to {high:{sign}.{digits}f})"


def grouped(records: Iterable[Record], key: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    """Records grouped by a key, in their order."""
    out: dict[Any, list[Record]] = {}
    for record in records:
        out.setdefault(key(record), []).append(record)
    return out


def views_table(records: Sequence[Record]) -> str:
    """NDCG@10 with and without views (Table 1): one line per system, without sets that teacher texts came from."""
    columns = ("measured on", "encoder", "system", "teacher", "form", "weights", "sets", "NDCG@10", "change")
    rows = []
    for key, some in grouped((r for r in records if not r.get("teacher_seen")), _system).items():
        ndcg = f"{np.mean([r['ndcg10'] for r in some]):.2f}"
        change = "" if key[2] == "none" else _change(some)
        better, worse = (sum(r["p_value"] < 0.05 and sign * r["delta"] > 0 for r in some) for sign in (1, -1))
        rows.append((*key, len(some), ndcg, change, "" if key[2] == "none" else f"{better} / {worse}"))
    return markdown((*columns, "significantly better / worse"), rows)


def _change(some: Sequence[Record]) -> str:
    """Over sets; for a single set, with the interval over its queries."""
    if len(some) > 1:
        return over_sets((r["delta"] for r in some), 2, "+")
    return f"{some[0]['delta']:+.2f} ({some[0]['ci_low']:+.2f} to {some[0]['ci_high']:+.2f})"


def _system(r: Record) -> tuple[str, ...]:
    weights = "" if r["weights"] is None else "learned" if isinstance(r["weights"], list) else "sum"
    return r["part"], r["encoder"], r["system"], r["teacher"] or "", r["form"] or "", weights


def sweep_table(records: Sequence[Record]) -> str:
    """Variants at several sparsities (Fig. 3)."""
    columns = ("variant", "rows", "target L0", "L0", "FVU raw", "FVU reasoned", "MSE raw", "intruders found")
    rows = []
    for r in records:
        found = r["intruder"]
        kept = np.mean([b["ndcg10_reconstructed"] / b["ndcg10"] for b in r["benchmarks"].values()])
        rows.append(
            (
                r["variant"],
                _rows(r),
                f"{r['target_l0']:g}",
                f"{r['original']['l0']:.1f}",
                f"{r['original']['fvu']:.3f}",
                f"{r['reasoned']['fvu']:.3f}",
                f"{r['original']['mse']:.4f}",
                f"{found['accuracy']:.3f} ({found['low']:.3f} to {found['high']:.3f}; {found['features']} features)",
                f"{kept:.3f}",
                f"{r['dead']:.3f}",
            )
        )
    return markdown((*columns, "NDCG@10 kept", "dead"), rows)


def _rows(record: Record) -> str:
    return "with the sets" if record["with_sets"] else "apart"


def raw_and_reasoned_table(records: Sequence[Record]) -> str:
    """Raw and reasoned vectors under each autoencoder (Fig. 4); intervals from drawing documents again."""
    columns = ("autoencoder", "rows", "vectors", "FVU", "less that of the original", "MSE", "L0")
    return markdown(
        (*columns, "features active, equal rows"),
        (
            (
                r["autoencoder"],
                _rows(r),
                kind,
                f"{figures['fvu']:.3f} {_ci(figures['fvu_ci'])}",
                _less(figures.get("fvu_less_original")),
                f"{figures['mse']:.4f}",
                f"{figures['l0']:.1f}",
                figures["features_active_equal"],
            )
            for r in records
            for kind, figures in r["kinds"].items()
        ),
    )


def _less(ends: Sequence[float] | None) -> str:
    return "" if ends is None else f"{ends[0]:+.3f} ({ends[1]:+.3f} to {ends[2]:+.3f})"


def names_table(planted: Sequence[Record], scores: Sequence[Record]) -> str:
    """The accuracy of the judges, then the scores of labels (Fig. 5)."""
    own = (
        (r["judge"], r["negatives"], "-" if r["value"] is None else f"{r['value']:.3f} {_ci(r['ci'])}", r["texts"])
        for r in planted
    )
    scored = (
        (
            r["autoencoder"],
            r["kind"],
            r["judge"].split(":")[0],
            r["negatives"],
            r["features"],
            f"{r['mean']:.3f} {_ci(r['mean_ci'])}",
            f"{r['shuffled_labels']:.3f}" if "shuffled_labels" in r else "",
            r["chance"],
        )
        for r in scores
    )
    columns = ("autoencoder", "score", "judge", "silent texts", "features", "mean", "names shuffled", "chance")
    first = markdown(("judge", "silent texts", "its accuracy on planted cases", "texts"), own)
    return f"{first}\n{markdown(columns, scored)}"


def _ci(ends: Sequence[float]) -> str:
    return f"({ends[0]:.3f} to {ends[1]:.3f})"


def efficiency_table(sizes: Sequence[Record], seconds_a_text: float | None) -> str:
    """Seconds by number of documents (Fig. 6), in brackets a query's part, least to most.

    Many queries are reckoned from those that were timed; what a language model would take is extrapolated.
    """
    columns = ("documents", "ours, one query, s", "release's way", "ours, many queries, s", "release's way")

    def one(r: Record, name: str) -> str:
        least, most = r[f"{name}_query_span"]
        return f"{r[f'{name}_one']:.2f} (the query: {least:.2f} to {most:.2f})"

    return markdown(
        (*columns, "three texts of each written, days (extrapolated)"),
        (
            (
                f"{r['documents']:,}",
                one(r, "ours"),
                one(r, "release"),
                f"{r['ours_many']:.0f}",
                f"{r['release_many']:.0f}",
                "-" if seconds_a_text is None else f"{3 * seconds_a_text * r['documents'] / 86_400:.1f}",
            )
            for r in sizes
        ),
    )


def intervention_table(records: Sequence[Record]) -> str:
    """Erase and keep-only by system, set of features and kind of pair (Fig. 7)."""
    keys = {
        "size": "features",
        "erase": "erase",
        "erase_random": "random, active",
        "erase_random_live": "random, live",
        "keep_only": "keep only",
        "keep_only_random": "random, active",
        "explained": "explained",
        "explained_random": "random, active",
    }
    rows = []
    for system, some in grouped(records, lambda r: r["system"]).items():
        for name in some[0]["sets"]:
            for part in ("tp", "fp"):
                figures = [r["sets"][name][part] for r in some if name in r["sets"]]
                cells = [over_sets(f[key] for f in figures if key in f) for key in keys]
                rows.append((system, name, part, sum(f["pairs"] for f in figures), *cells))
    return markdown(("rows and internalizers", "set", "pairs are", "pairs", *keys.values()), rows)


def steering_table(records: Sequence[Record]) -> str:
    """Change of NDCG@10 from alpha = 1 (Fig. 8)."""
    alphas = [f"alpha {alpha:g}" for alpha in records[0]["alphas"] if alpha != 1]
    columns = ("rows and internalizers", "most features", "error", "set", "features", *alphas)
    return markdown(columns, _steered(records))


def _steered(records: Sequence[Record]) -> Iterator[tuple[Any, ...]]:
    groups = grouped(records, lambda r: (r["encoder"], r["most_features"], r["error_kept"]))
    for (system, most, kept), some in groups.items():
        one = some[0]["alphas"].index(1.0)
        for name in some[0]["ndcg10"]:
            curves = np.array([r["ndcg10"][name] for r in some])
            size = float(np.mean([r["sizes"][name] for r in some]))
            moved = np.delete(curves - curves[:, [one]], one, axis=1)
            changes = (over_sets(column, 2, "+") for column in moved.T)
            yield system, most, "kept" if kept else "decoded", name, f"{size:.0f}", *changes


def cases_table(records: Sequence[Record], most: int = 6) -> str:
    """The strongest labels of each case under both autoencoders."""

    def strongest(explanation: Record) -> str:
        named = [f for f in explanation["feature_explanations"] if f["hypothesis"]]
        return "; ".join(f["hypothesis"] for f in sorted(named, key=lambda f: -float(f["share"]))[:most])

    columns = ("set", "raw: its strongest names", "ours: its strongest names", "names of both")
    return markdown(
        columns,
        ((r["dataset"], strongest(r["raw"]), strongest(r["ours"]), "; ".join(r["names_of_both"])) for r in records),
    )
