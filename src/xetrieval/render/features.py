"""Prints features, families and feature cards in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from ..labels.examples import one_line
from ..text import printable
from .fitted import Column, Fitted, Line, bar

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..explain import Explainer
    from ..features import Feature
    from ..labels.card import FeatureCard, Neighbour


def features_table(found: list[Feature], top: int) -> RenderableType:
    lines = []
    for f in found[:top]:
        words = (Text(printable(f.label or "(no name)")), Text(printable(f.source or ""), "dim"))
        lines.append(Line((*words, str(f.feature_id), f"{f.frequency:.2%}"), f.frequency))
    table = Fitted((Column("name", 56), Column("by", 24), Column("feature"), Column("active on")), lines, bar=10)
    more = [Text(f"{len(found) - top:,} more; --top shows them", "dim")] if len(found) > top else []
    return Group(table, *more)


def families_tree(explainer: Explainer) -> RenderableType:
    tree = Tree(Text(f"{printable(explainer.name)}: {explainer.sae.features:,} features; --family ID lists one"))
    for upper in (f for f in explainer.families if f.parent is None):
        branch = tree.add(Text(f"[{upper.id}] {printable(upper.name)} ({upper.features})"))
        for lower in (f for f in explainer.families if f.parent == upper.id):
            branch.add(Text(f"[{lower.id}] {printable(lower.name)} ({lower.features})"))
    return tree


def card_parts(card: FeatureCard, texts: int) -> RenderableType:
    feature = card.feature
    head = [Text(f"{feature.feature_id}  {printable(feature.label or '(no name)')}", "bold")]
    by = f"named by {printable(feature.source)}" if feature.source else "not named"
    on = f", in {card.documents:,} documents" if card.documents is not None else ""
    head.append(Text(f"{by}; active on {feature.frequency:.2%} of passages{on}", "dim"))
    if feature.words:
        head.append(Text("in explanations also: " + ", ".join(map(printable, feature.words)), "dim"))
    if card.families:
        head.append(Text("family: " + " > ".join(printable(name) for name in card.families), "dim"))
    if feature.flags:
        head.append(Text("flags: " + ", ".join(map(printable, feature.flags)), "yellow"))
    parts: list[RenderableType] = list(head)
    if feature.scores:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("score", "active", "silent", "value", "95 %", "chance", "judge"):
            table.add_column(name, no_wrap=True)
        for s in feature.scores:
            interval = f"{s.low:.2f} to {s.high:.2f}"
            table.add_row(
                s.kind, s.active, s.negatives, f"{s.value:.2f}", interval, f"{s.chance:g}", printable(s.judge)
            )
        parts += [Text(), table]
    if card.histogram:
        parts += [Text(), Text("activations where it is active", "dim"), _histogram(card)]
    parts += [Text(), _neighbours("nearest directions", "cosine", card.nearest)]
    if card.coactive:
        parts += [Text(), _neighbours("active on the same passages", "Jaccard", card.coactive)]
    if card.examples:
        parts += [Text(), _texts(card, texts)]
    return Group(*parts)


def _histogram(card: FeatureCard) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False)
    counts = [b.count for b in card.histogram]
    for b in card.histogram:
        strip = Text(bar(b.count / max(counts), 20), "green")
        table.add_row(f"{b.low:.2f} to {b.high:.2f}", f"{b.count / sum(counts):.0%}", strip)
    return table


def _neighbours(title: str, measure: str, neighbours: tuple[Neighbour, ...]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("", "right"), (title, "left"), (measure, "right")):
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for n in neighbours:
        table.add_row(str(n.feature_id), Text(printable(n.label or "(no name)")), f"{n.nearness:.2f}")
    return table


def _texts(card: FeatureCard, count: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("activation", no_wrap=True, justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("text, or its sentence that carries the activation")
    most = card.examples[0].activation or 1.0
    for e in card.examples[:count]:
        value = Text(bar(e.activation / most, 6), "green")
        table.add_row(f"{e.activation:.2f}", value, Text(printable(one_line(e.text))))
    return table
