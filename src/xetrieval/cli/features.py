"""xetrieval features: browse and search the features of an explainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..configs import Option, Range
from ..errors import InputError
from .console import output_console, print_json
from .options import Format, FormatOption
from .shared import check_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..labels.examples import FeatureExamples

LISTED = 30


def features(
    explainer: Annotated[
        str, typer.Argument(metavar="EXPLAINER", help="Folder of an explainer or of an index, or minilm.")
    ] = "minilm",
    id: Annotated[int | None, Option("Show the card of this feature."), Range(0)] = None,
    search: Annotated[str | None, Option("Show features whose labels contain these words.")] = None,
    family: Annotated[int | None, Option("Show the features of this family."), Range(0)] = None,
    examples: Annotated[Path | None, Option("A folder from `label examples`, to show texts and a histogram.")] = None,
    top: Annotated[int, Option("Show this many features or texts.", "-n"), Range(1)] = LISTED,
    format: FormatOption = Format.text,
) -> None:
    """List families of features, search their labels, or show the card of one feature."""
    from ..explain import load
    from ..files import kind_of
    from ..index import open_index
    from ..index.ask.catalogue import feature_in_index
    from ..index.store.layout import KIND
    from ..labels.card import feature_card, in_family, search_features
    from ..labels.examples import load_examples
    from ..records import record_of
    from ..render.features import card_parts, families_tree, features_table

    check_options("features", {"id": id, "search": search, "family": family})
    index = open_index(explainer) if kind_of(explainer) == KIND.format else None
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
        _show(format, card.to_dict(), card_parts(card, min(top, 10) if top == LISTED else top))
        return
    if search is not None:
        found = search_features(search, opened.features)
        if not found:
            raise InputError(f"no label contains {search!r}; try a single word")
    elif family is not None:
        found = in_family(opened.features, opened.families, family)
    elif opened.families:
        _show(format, [record_of(f) for f in opened.families], families_tree(opened))
        return
    else:
        found = sorted(opened.features, key=lambda f: (-f.frequency, f.feature_id))
    _show(format, [f.to_dict() for f in found[:top]], features_table(found, top))


def _show(format: Format, record: Any, picture: RenderableType) -> None:
    if format is Format.json:
        print_json(record)
    else:
        output_console().print(picture, highlight=False)
