"""xetrieval features: find the way among the features of an explainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import give_json, output_console
from .options import Format, FormatOption

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..explain import Explainer
    from ..features import Feature
    from ..labels.card import FeatureCard, Neighbour
    from ..labels.examples import FeatureExamples

LISTED = 30


def features(
    explainer: Annotated[
        str, typer.Argument(metavar="EXPLAINER", help="Folder of an explainer or of an index, or minilm.")
    ] = "minilm",
    id: Annotated[int | None, typer.Option("--id", min=0, help="The card of this feature.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Features whose labels contain these words.")] = None,
    family: Annotated[int | None, typer.Option("--family", min=0, help="The features of this family.")] = None,
    examples: Annotated[
        Path | None, typer.Option("--examples", help="A folder from `label examples`; adds texts and a histogram.")
    ] = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Show this many features or texts.")] = LISTED,
    format: FormatOption = Format.text,
) -> None:
    """List families of features, search their labels, or show the card of one feature."""
    from ..errors import InputError
    from ..explain import load
    from ..files import kind_of
    from ..index import open_index
    from ..index.ask.catalogue import feature_in_index
    from ..index.store.layout import KIND
    from ..labels.card import feature_card, in_family, search_features
    from ..labels.examples import load_examples
    from ..records import record_of

    index = open_index(explainer) if kind_of(Path(explainer)) == KIND.format else None
    opened = load(explainer) if index is None else index.explainer
    by_id: dict[int, FeatureExamples] = {}
    if examples is not None:
        folder = load_examples(examples)
        folder.check(opened.sae.digest, str(examples))
        by_id = {feature.feature_id: feature for feature in folder.features}
    if id is not None:
        if index is not None and examples is None:
            card = feature_in_index(index, id)
        else:
            card = feature_card(id, opened.sae, opened.features, opened.families, by_id.get(id))
        _show(format, card.to_dict(), _card(card, min(top, 10) if top == LISTED else top))
        return
    if search is not None:
        found = search_features(search, opened.features)
        if not found:
            raise InputError(f"no feature's name holds {search!r}; try one word of it")
    elif family is not None:
        found = in_family(opened.features, opened.families, family)
    elif opened.families:
        _show(format, [record_of(f) for f in opened.families], _families(opened))
        return
    else:
        found = sorted(opened.features, key=lambda f: (-f.frequency, f.feature_id))
    _show(format, [f.to_dict() for f in found[:top]], _table(found, top))


def _show(format: Format, record: Any, picture: RenderableType) -> None:
    if format is Format.json:
        give_json(record)
    else:
        output_console().print(picture, highlight=False)


def _table(found: list[Feature], top: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from ..render.fitted import Column, Fitted, Line
    from ..text import printable

    lines = []
    for f in found[:top]:
        words = (Text(printable(f.label or "(no name)")), Text(printable(f.source or ""), "dim"))
        lines.append(Line((*words, str(f.feature_id), f"{f.frequency:.2%}"), f.frequency))
    table = Fitted((Column("name", 56), Column("by", 24), Column("feature"), Column("active on")), lines, bar=10)
    more = [Text(f"{len(found) - top:,} more; --top shows them", "dim")] if len(found) > top else []
    return Group(table, *more)


def _families(explainer: Explainer) -> RenderableType:
    from rich.text import Text
    from rich.tree import Tree

    from ..text import printable

    tree = Tree(Text(f"{printable(explainer.name)}: {explainer.sae.features:,} features; --family ID lists one"))
    for upper in (f for f in explainer.families if f.parent is None):
        branch = tree.add(Text(f"[{upper.id}] {printable(upper.name)} ({upper.features})"))
        for lower in (f for f in explainer.families if f.parent == upper.id):
            branch.add(Text(f"[{lower.id}] {printable(lower.name)} ({lower.features})"))
    return tree


def _card(card: FeatureCard, texts: int) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from ..text import printable

    feature = card.feature
    head = [Text(f"{feature.feature_id}  {printable(feature.label or '(no name)')}", "bold")]
    by = f"named by {printable(feature.source)}" if feature.source else "not named"
    on = f", in {card.documents:,} documents" if card.documents is not None else ""
    head.append(Text(f"{by}; active on {feature.frequency:.2%} of passages{on}", "dim"))
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
    from rich.table import Table
    from rich.text import Text

    from ..render.fitted import bar

    table = Table(box=None, pad_edge=False, show_header=False)
    counts = [b.count for b in card.histogram]
    for b in card.histogram:
        strip = Text(bar(b.count / max(counts), 20), "green")
        table.add_row(f"{b.low:.2f} to {b.high:.2f}", f"{b.count / sum(counts):.0%}", strip)
    return table


def _neighbours(title: str, measure: str, neighbours: tuple[Neighbour, ...]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from ..text import printable

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("", "right"), (title, "left"), (measure, "right")):
        table.add_column(name, justify=justify, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for n in neighbours:
        table.add_row(str(n.feature_id), Text(printable(n.label or "(no name)")), f"{n.nearness:.2f}")
    return table


def _texts(card: FeatureCard, count: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from ..labels.examples import one_line
    from ..render.fitted import bar
    from ..text import printable

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("activation", no_wrap=True, justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("text, or the sentence of it that carries the activation")
    most = card.examples[0].activation or 1.0
    for e in card.examples[:count]:
        value = Text(bar(e.activation / most, 6), "green")
        table.add_row(f"{e.activation:.2f}", value, Text(printable(one_line(e.text))))
    return table
