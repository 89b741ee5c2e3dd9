"""Prints a checkup in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..index.search.unrelated import in_words, percent
from ..render.fitted import bar
from ..text import printable, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .cutoff import Cutoff, ScoreScale
    from .doctor import Checkup


def _percent(part: float | None) -> str:
    return "–" if part is None else f"{part:.0%}"


def _score_lines(scale: ScoreScale | None, cutoff: Cutoff | None) -> Iterator[str]:
    """How high scores are here, and above which score hits are relevant."""
    if scale is not None:
        levels = f"half score below {scale.median:.2f}, 99% below {scale.percent_99:.2f}"
        yield f"unrelated pairs of documents: {levels}, 99.9% below {scale.percent_99_9:.2f}"
    if scale is not None and scale.best_hits is not None:
        off = f"; {scale.off_topic:.0%} of the queries are probably off topic" if scale.off_topic else ""
        yield f"best hits: the median is {in_words(scale.best_hits)}{off}"
    if cutoff is None:
        return
    if cutoff.score is None or cutoff.precision_ci is None:
        best = "" if cutoff.highest is None else f"; the best reaches {cutoff.highest:.0%}, at {cutoff.highest_from}"
        yield f"no cut-off with at least twenty hits reaches a precision of {cutoff.wanted:.0%}{best}"
        return
    low, high = cutoff.precision_ci
    place = "" if cutoff.above_unrelated is None else f" (above {percent(cutoff.above_unrelated)} of unrelated pairs)"
    yield (
        f"hits above {cutoff.score:.4f}{place} have a precision of {cutoff.precision:.0%} ({low:.0%} to {high:.0%}); "
        f"the queries' top tens have {cutoff.hits:,} such hits, with {cutoff.recall:.0%} of the relevant ones; "
        f"search --least {cutoff.score:.4f} leaves out the others"
    )
    yield (
        f"{cutoff.answered:.0%} of the queries have such a hit; without their relevant documents, "
        f"{cutoff.answered_without:.0%} still do, and would get wrong answers"
    )


def checkup_parts(found: Checkup) -> Iterator[RenderableType]:
    """The figures with those of the model card, the advice, and the failing queries."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("here", justify="right")
    table.add_column("model card", justify="right")
    table.add_column("")
    rows = (
        ("cosine of reconstructed documents", f"{found.cosine:.3f}", found.cosine_on_card, ""),
        ("variance unexplained (FVU)", "none" if found.fvu is None else f"{found.fvu:.3f}", found.fvu_on_card, ""),
        ("explained", _percent(found.explained), None, f"of the scores without the bias: {found.pairs_are}"),
        ("  by untrained directions", _percent(found.explained_untrained), None, "what features explain by chance"),
        ("  by features with a label", _percent(found.named_fraction), None, ""),
        ("remainder", _percent(found.remainder_fraction), None, "of the scores without the bias, by absolute value"),
        ("shared features", "–" if found.features is None else f"{found.features:.1f}", None, "of a pair, on average"),
        (
            "remainder, of full scores",
            _percent(found.remainder),
            None,
            f"of {found.queries} {found.query_source} and their best three",
        ),
        ("retention", _percent(found.retention), None, found.retention_is),
        ("unused features", f"{found.silent:.0%}", None, "no document has them"),
        ("saturated features", f"{found.saturated:.1%}", None, "a quarter of the documents has them"),
        ("documents longer than the encoder reads", f"{found.unread:.0%}", None, ""),
        (
            "documents mostly unknown",
            f"{found.unknown:.0%}",
            None,
            "to the encoder: half of their tokens or more",
        ),
    )
    for name, here, card, note in rows:
        table.add_row(name, here, "" if card is None else f"{card:.3f}", Text(note, "dim"))
    yield table
    yield ""
    yield Text(f"{found.verdict}: {found.why}", "bold")
    for line in (*found.advice, *_score_lines(found.scale, found.cutoff)):
        yield Text(f"• {line}")
    if not found.judged:
        return
    yield Text(f"\n{found.failed} of {found.judged} queries have no relevant document in their top ten", "bold")
    most = max((len(group.queries) for group in found.failing), default=1)
    for group in found.failing[:8]:
        drawn = bar(len(group.queries) / most, 12)
        name = f"{printable(group.name)} (feature {group.feature}, {group.mean_share:+.3f} in the wrong hits)"
        yield Text.assemble((f"{len(group.queries):>4}  ", "bold"), (f"{drawn:<12}", "red"), f"  {name}")
        for text in group.queries[:2]:
            yield Text(f"        {shorten(text, 90)}", "dim")
    if len(found.failing) > 8:
        yield Text(f"{len(found.failing) - 8} more features", "dim")
