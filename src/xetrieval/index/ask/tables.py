"""Tables of hits, rankings, profiles and corpus reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...render.fitted import Column, Fitted, Line
from ...render.text import table_of
from ...text import printable, shorten
from ..search.unrelated import in_words, percent
from ..store.texts import not_read

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ...steer import SteeringProfile
    from ..index import Index
    from ..search.ranking import Hit
    from .edit import TextEdits
    from .expect import Outcome, Outcomes
    from .moves import SteeredRanking
    from .nuisance import Nuisances
    from .overview import Overview
    from .push import Push
    from .report import CorpusReport
    from .why import Why

MOST_NAMES = 4  # ids on one line
SENTENCES = 3  # listed for each direction


def overview_parts(found: Overview) -> Iterator[RenderableType]:
    """Common features, those that set the hits apart, and those that bring in unwanted ones."""
    parts = [
        (f"what the {found.hits} hits have in common", found.common, False),
        ("what separates them", found.splitting, False),
    ]
    if found.judged:
        parts.append(("what brings in the bad hits", found.misleading, True))
    for title, rows, judged in parts:
        yield Text(f"\n{title}", "bold")
        if not rows:
            yield Text("nothing", "dim")
            continue
        columns = [Column("name", 38), Column("feature"), Column("hits"), Column("share")]
        columns += [Column(name) for name in (("good", "bad") if judged else ("spread",))]
        lines = []
        for row in rows:
            figures = (f"{row.good:+.4f}", f"{row.bad:+.4f}") if judged else (f"{row.spread:.4f}",)
            value = row.bad - row.good if judged else row.mean_share
            shared = (str(row.feature_id), f"{row.hits}/{found.hits}", f"{row.mean_share:+.4f}", *figures)
            lines.append(Line((Text(printable(row.name)), *shared), value, "red" if value < 0 or judged else "green"))
        yield Fitted(columns, lines, bar=12)


def report_parts(found: CorpusReport) -> Iterator[RenderableType]:
    """Families with counts, then uninformative features, repeated lines, near-duplicate features and hubs."""

    def heading(text: str) -> Text:
        return Text(f"\n{text}", "bold")

    yield Text(f"{found.documents:,} documents; {found.dead_features:,} features are in none of them", "bold")
    yield Text(f"text not read: {not_read(found.read)}\n", "dim")
    lines = [
        Line(
            (Text(printable(topic.name)), f"{topic.documents:,}", Text(printable(topic.features[0].name), "dim")),
            float(topic.documents),
        )
        for topic in found.topics
    ]
    columns = (Column("about", 44), Column("documents"), Column("main feature", 30))
    yield Fitted(columns, lines, bar=14)
    if found.boilerplate:
        yield heading("features in a quarter of the documents or more: too common to be informative")
        for feature in found.boilerplate[:10]:
            yield f"  {feature.fraction:>5.0%}  {feature.feature_id:>5}  {printable(feature.name)}"
    if found.boilerplate_lines:
        yield heading("lines in more than half of the documents: boilerplate")
        for one in found.boilerplate_lines[:10]:
            yield f"  {one.fraction:>5.0%}  {printable(one.line[:200])}"
    if found.coactive:
        yield heading("features active on the same documents: near-duplicates")
        for pair in found.coactive[:10]:
            yield f"  {pair.jaccard:.2f}  {printable(pair.first.name)} / {printable(pair.second.name)}"
    if found.hubs:
        yield heading(f"hubs: documents found for very many queries ({found.probes} documents were the queries)")
        for hub in found.hubs:
            found_times = f"  {hub.found:>4} queries, {hub.expected:g} expected  "
            yield Text.assemble(found_times, (printable(hub.doc_id), "cyan"))
            mean = hub.explanation
            terms = ", ".join(f"{printable(term.name)} {term.share:+.3f}" for term in mean.terms)
            yield Text(f"        {terms}, bias {mean.bias:+.3f}, remainder {mean.remainder:+.3f}", "dim")


def moves_table(found: SteeredRanking) -> Table:
    """A ranking with a profile, with the ranks that documents have without it; then the hits that left it."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for column in ("rank", "before", "", "score", "before"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("document", overflow="ellipsis", no_wrap=True, ratio=1)
    for move in (*found.hits, *found.hits_lost):
        rose = move.before_rank - move.rank
        arrow = Text(f"▲{rose}", "green") if rose > 0 else Text(f"▼{-rose}", "red") if rose < 0 else Text("·", "dim")
        table.add_row(
            str(move.rank),
            str(move.before_rank),
            arrow,
            f"{move.score:.4f}",
            f"{move.before_score:.4f}",
            Text.assemble((printable(move.doc_id), "cyan"), f"  {shorten(move.text.removeprefix(move.doc_id), 120)}"),
        )
    return table


def profile_table(index: Index, profile: SteeringProfile) -> Fitted:
    """The features that a profile scales, and how many documents have each."""
    lines = []
    for feature, factor in sorted(profile.factors.items(), key=lambda item: -item[1]):
        name = index.explainer.features[feature].name
        style = "green" if factor > 1 else "red"
        count = f"{int(index.frequency[feature]):,}"
        figures = (f"#{feature}", Text(f"{factor:.2f}", style), count)
        lines.append(Line((Text(printable(name)), *figures), min(1.0, factor - 1), style))
    columns = (Column("name", 48), Column("feature"), Column("factor"), Column("documents"))
    return Fitted(columns, lines, bar=12)


def difference_parts(index: Index, first: SteeringProfile, second: SteeringProfile) -> Iterator[RenderableType]:
    """Where two profiles differ: kind, scope, and the features with their factors in each."""
    for name, values in (
        ("kind", (first.kind, second.kind)),
        ("scope", (str(first.scope), str(second.scope))),
    ):
        if values[0] != values[1]:
            yield f"{name}: {printable(values[0])} | {printable(values[1])}"
    table = Table("name", box=None, pad_edge=False, header_style="dim")
    for column in ("feature", "first", "second"):
        table.add_column(column, justify="right", no_wrap=True)
    for feature in sorted(first.factors.keys() | second.factors.keys()):
        factors = (first.factors.get(feature, 1.0), second.factors.get(feature, 1.0))
        if factors[0] != factors[1]:
            name = printable(index.explainer.features[feature].name)
            table.add_row(name, f"#{feature}", *(f"× {factor:g}" for factor in factors))
    yield table if table.row_count else "no feature differs"


def push_parts(found: Push) -> Iterator[RenderableType]:
    """The document and its rank, then the proposals with what they change."""
    others = f"{found.other_queries} {'passages as other queries' if found.drawn else 'other queries'}"
    yield Text.assemble(
        (printable(found.doc_id), "cyan"), f"  rank {found.rank:,} of {found.documents:,}  ", shorten(found.title, 80)
    )
    if not found.proposals:
        yield Text(found.note, "yellow")
        return
    judged = found.proposals[0].ndcg_change is not None
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("turn", overflow="fold")
    for column in ("rank", "hits lost", "harm", *(["NDCG@10"] if judged else [])):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("for")
    for number, one in enumerate(found.proposals, 1):
        style = "red" if found.direction == "down" else "green"
        arrow = "▼" if found.direction == "down" else "▲"
        scope = one.scope if one.least_cosine is None else f"{one.scope} (cosine {one.least_cosine:.2f})"
        table.add_row(
            str(number),
            "\n".join(map(str, one.features)),
            Text.assemble(f"{found.rank:,} → ", (f"{one.rank_after:,} {arrow}", style)),
            str(len(one.hits_lost)),
            f"{one.harm:.3f}",
            *([f"{100 * (one.ndcg_change or 0.0):+.2f}"] if judged else []),
            scope,
        )
    yield table
    for number, one in enumerate(found.proposals, 1):
        for verb, names in (("out of the top 10", one.hits_lost), ("passed", one.hits_passed)):
            if names:
                more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
                yield Text(f"{number}  {verb}: {', '.join(map(printable, names[:MOST_NAMES]))}{more}", "dim")
    yield Text(f"harm: how much the rankings of {others} change, from 0 to 1", "dim")


def edit_parts(found: TextEdits) -> Iterator[RenderableType]:
    """The document and its rank, the sentences that matter most, what it lacks, and the changed text."""
    yield Text.assemble(
        (printable(found.doc_id), "cyan"),
        f"  rank {found.rank:,} of {found.documents:,}, score {found.score:.4f}  {shorten(found.title, 60)}",
    )
    for note in found.notes:
        yield Text(printable(note), "yellow")
    if found.sentences:
        table = _edit_table("without this sentence")
        shown = [*found.down[:SENTENCES], *found.up[:SENTENCES][::-1]]
        for one in shown:
            table.add_row(shorten(one.text, 100), *_moved(found, one.rank_after, one.score_after))
        yield table
        if not found.up:
            yield Text("the document scores lower without any of its sentences", "dim")
    if found.missing:
        what = "document" if found.changed is None or found.changed.rewritten else "new text"
        yield Text(f"features of the query that the {what} lacks", "bold")
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("feature", "words of the query", "in hits of the top 10"):
            table.add_column(column, justify="right" if "hits" in column else "left")
        for feature in found.missing:
            number = f" #{feature.feature_id}" if feature.label else ""
            table.add_row(
                f"{printable(feature.name)}{number}", ", ".join(map(printable, feature.query_words)), str(feature.hits)
            )
        yield table
    if found.missing_words:
        yield Text(f"words of the query that it lacks: {', '.join(map(printable, found.missing_words))}")
    if found.changed is not None:
        new = found.changed
        if new.rewritten:
            yield Text(f"rewritten by {new.source.removeprefix('llm:')}: {printable(new.sentence)}", "dim")
        table = _edit_table("with the rewritten sentence" if new.rewritten else "with the new text")
        table.add_row(shorten(new.rewritten or new.text, 100), *_moved(found, new.rank_after, new.score_after))
        yield table
        yield Text("what changed: the new text (first) and the present one (second)", "dim")
        yield table_of(new.contrast)


def _edit_table(what: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(what, overflow="ellipsis", no_wrap=True, max_width=64)
    for column in ("rank", "score"):
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _moved(found: TextEdits, rank: int, score: float) -> tuple[Text, str]:
    arrow, style = ("▼", "red") if rank > found.rank else ("▲", "green") if rank < found.rank else ("·", "dim")
    return Text.assemble(
        f"{found.rank:,} → ", (f"{rank:,} {arrow}", style)
    ), f"{score:.4f} ({score - found.score:+.4f})"


def nuisance_parts(found: Nuisances) -> Iterator[RenderableType]:
    """Candidates for removal with the evidence, then what to do with them."""
    if not found.candidates:
        yield Text(f"no feature separates {found.documents:,} documents by any of {len(found.properties)} properties")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("feature", overflow="fold")
    for name in ("#", "AUROC", "95 %", "permuted", "with", "without"):
        table.add_column(name, justify="right", no_wrap=True)
    before = ""
    for one in found.candidates:
        if one.separates != before:
            table.add_row(Text(printable(one.separates), "bold"))
        before = one.separates
        low, high = one.auroc_ci
        shares = f"{one.with_it:.0%}", f"{one.without_it:.0%}"
        figures = f"{one.auroc:.2f}", f"{low:.2f}-{high:.2f}", f"{one.auroc_permuted:.2f}", *shares
        table.add_row(f"  {printable(one.name)}", str(one.feature_id), *figures)
    yield table
    yield Text(
        f"measured on {found.documents:,} documents; with, without: how many of them have the feature. The topic of a "
        "source separates it too: remove only what should not matter",
        "dim",
    )


def hit_parts(hits: Sequence[Hit], top: int | None, *, explain: bool) -> Iterator[RenderableType]:
    """Hits with their snippets and, if `explain`, the explanations of their scores."""
    for hit in hits:
        title, fraction = printable(hit.document.title), hit.above_unrelated
        above = "" if fraction is None else f"({in_words(fraction) if hit is hits[0] else percent(fraction)})  "
        yield Text.assemble(
            (f"{hit.rank:>3}. ", "dim"),
            (f"{hit.score:.4f}  ", "bold"),
            (above, "dim"),
            (printable(hit.doc_id), "cyan"),
            (f"  {title}" if title and title != hit.doc_id else "", ""),
        )
        yield Padding(Text(printable(hit.snippet), "dim"), (0, 0, 0, 5))
        if hit.document.read.unreadable and not explain:
            for note in hit.document.read.notes("document"):
                yield Text(f"     {note}", "yellow")
        if explain:
            yield table_of(hit.explanation, top)
            yield ""


def checked_parts(found: Outcomes) -> Iterator[RenderableType]:
    """What broke, with explanations, and how many expectations hold."""
    for one in found.outcomes:
        if one.broken:
            yield Text.assemble(("FAILED ", "bold red"), printable(str(one)))
            yield from broken_parts(one)
            yield ""
    yield Text(f"{found.expectations - found.failures:,} of {found.expectations:,} expectations hold", "bold")


def broken_parts(one: Outcome) -> Iterator[RenderableType]:
    """The explanation of an expectation that does not hold."""
    if one.other:
        missing = one.expectation.in_top is not None and (one.rank is None or one.rank > one.expectation.in_top)
        place = f"the last of the top {one.expectation.in_top}" if missing else "the first below the top"
        yield Text(f"compared with {printable(one.other)}, {place}", "dim")
    if one.contrast is not None:
        yield table_of(one.contrast)
    if one.explanation is not None:
        yield Text(f"the score of {printable(one.explanation.doc_id)}", "dim")
        yield table_of(one.explanation)


def why_parts(answer: Why, top: int | None) -> Iterator[RenderableType]:
    """The document and its rank, the parts of its score, and the comparison with another document."""
    first, *rest = answer.head
    yield Text(first, "cyan")
    compared = compared_with(answer)
    for line in [*rest, *([compared] if compared else [])]:
        yield Text(line, "dim")
    yield ""
    yield table_of(answer.explanation, top)
    if answer.contrast is not None:
        yield ""
        yield table_of(answer.contrast, top)
    yield from (Text(printable(note)) for note in answer.notes)


def compared_with(answer: Why) -> str | None:
    """A line that names the document compared with."""
    if answer.over is None or answer.contrast is None:
        return None
    text = shorten(answer.contrast.second.document.removeprefix(answer.over.doc_id), 100)
    return f"compared below with {shorten(answer.over.doc_id)}, rank {answer.over.rank:,}: {text}"
