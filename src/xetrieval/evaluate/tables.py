"""The results of each evaluation as a table for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .faithfulness import FaithfulnessResult
    from .intervention import InterventionResult
    from .names import Interval, NamesResult
    from .retrieval import RetrievalResult
    from .simulatability import SimulatabilityResult
    from .steering import SteeringResult


def table_of(what: str, results: Sequence[object]) -> Table:
    """The results of one kind of evaluation."""
    return TABLES[what](results)


def _table(columns: Sequence[str], left: int = 2) -> Table:

    table = Table(box=None, header_style="dim", pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", overflow="fold")
    return table


def retrieval(results: Sequence[RetrievalResult]) -> Table:
    """One line per system; a star where the difference is significant at 0.05."""
    table = _table(("dataset", "system", "weights", "NDCG@10", "change", "95 % interval", "p", "queries"), 3)
    for r in results:
        alone = r.system == "none"
        table.add_row(
            r.dataset if alone else "",
            r.system + ("" if alone or not r.form else f" ({r.form})"),
            "" if alone else _weights(r.weights),
            f"{r.ndcg10:.2f}",
            "" if alone else f"{r.delta:+.2f}{'*' if r.p_value < 0.05 else ''}",
            "" if alone else f"{r.ci_low:+.2f} to {r.ci_high:+.2f}",
            "" if alone else f"{r.p_value:.3f}",
            str(r.queries),
        )
    return table


def _weights(weights: Any) -> str:
    if isinstance(weights, dict):
        return "sum" if set(weights.values()) == {1.0} else ", ".join(f"{k} {v:.2f}" for k, v in weights.items())
    return " / ".join(_weights(half) for half in weights)


def intervention(results: Sequence[InterventionResult]) -> Table:
    """One line per set; in brackets, the random set of the same size active in z."""
    table = _table(("dataset", "set", "features", "erase", "keep-only", "explained"))
    for r in results:
        for name, s in r.sets.items():
            table.add_row(
                r.dataset if name == "xetrieval" else "",
                name,
                f"{s['size']:.1f}",
                f"{s['erase']:+.3f} ({s['erase_random']:+.3f})",
                f"{s['keep_only']:+.3f} ({s['keep_only_random']:+.3f})",
                f"{s['explained']:.2f} ({s['explained_random']:.2f})",
            )
    return table


def steering(results: Sequence[SteeringResult]) -> Table:
    """NDCG@10 by factor, one line per set of features."""
    alphas = [f"x{alpha:g}" for alpha in results[0].alphas]
    table = _table(("dataset", "set", "features", *alphas))
    for r in results:
        for name, curve in r.ndcg10.items():
            first = f"{r.dataset}{', error kept' if r.error_kept else ''}" if name == "key" else ""
            size = r.sizes.get(name)
            table.add_row(first, name, "" if size is None else str(size), *(f"{value:.2f}" for value in curve))
    return table


def faithfulness(results: Sequence[FaithfulnessResult]) -> Table:
    """Areas, one line per order: lower is more faithful for deletion, higher for insertion.

    Kendall's tau of a query's best ten documents with their displayed shares; in brackets, with untrained directions.
    """
    table = _table(
        ("dataset", "order", "features", "deletion", "insertion", "rank, shown", "rank, random", "tau of ten")
    )
    for r in results:
        for name, order in r.orders.items():
            first = name == "share"
            table.add_row(
                r.dataset if first else "",
                name,
                f"{r.features:.1f}" if first else "",
                f"{order.deletion_area:.3f}",
                f"{order.insertion_area:.3f}",
                f"{r.rank.shown:.2f}" if first else "",
                f"{r.rank.random_active:.2f}" if first else "",
                f"{r.lists[0].displayed:.2f} ({r.lists[0].untrained_displayed:.2f})" if first else "",
            )
    return table


def names_table(result: NamesResult) -> Iterator[RenderableType]:
    """Verdicts by group, and the judges."""

    def figure(found: Interval | None, *, interval: bool = False) -> str:
        if found is None or interval:
            return _with_interval(found)
        return f"{found.value:.2f}"

    table = _table(
        ("", "names", "fits", "partly", "not there", "by share", "named", "named and holds", "pairs with a name"), 1
    )
    for name, found in result.groups.items():
        shares = (found.fits_by_share, found.partly_by_share, found.not_there_by_share)
        table.add_row(
            name,
            f"{found.names:,}",
            figure(found.fits, interval=True),
            figure(found.partly),
            figure(found.not_there, interval=True),
            " / ".join(figure(one) for one in shares if one),
            figure(found.named),
            figure(found.named_and_holds, interval=True),
            f"{found.with_a_name} of {found.pairs}" if found.named else "",
        )
    yield table
    yield "by share: fits / partly / not there, each name weighted by the size of its share"
    yield "named: the part of score - bias on judged names; holds: on those that fit or partly fit"
    yield f"judged by {'; '.join(result.judges)}"
    alphas = (("with decoys", result.alpha), ("displayed names only", result.alpha_shown))
    if agreement := ", ".join(f"{name} {alpha:.2f}" for name, alpha in alphas if alpha is not None):
        yield f"agreement of the judges (Krippendorff's alpha, ordinal): {agreement}"


def simulatability_table(result: SimulatabilityResult) -> Iterator[RenderableType]:
    """How often each student is right, by part and arm."""
    table = _table(("part", "shown", "questions", *result.students), 2)
    first = next(iter(result.students.values()))
    for part, arms in first.items():
        for arm, one in arms.items():
            every = (found[part][arm].right for found in result.students.values())
            table.add_row(part, arm, f"{one.questions:,}", *(_with_interval(right) for right in every))
    yield table
    yield "how often the answer is right, with a 95 % interval; chance is 0.50"
    if result.states is not None:
        yield (
            "ranking: the document whose explanation shows the second query's strongest feature ranks higher in "
            f"{_with_interval(result.states)} of the questions"
        )
    if result.alpha is not None:
        yield f"agreement of the students (Krippendorff's alpha): {result.alpha:.2f}"


def _with_interval(found: Interval | None) -> str:
    return "" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


TABLES: dict[str, Callable[[Any], Table]] = {
    "retrieval": retrieval,
    "intervention": intervention,
    "faithfulness": faithfulness,
    "steering": steering,
}
