"""xetrieval index nuisances and remove-features: find features that should not matter, and take them out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..configs import Option, Range
from ..errors import InputError
from .console import print_json, print_line, print_message
from .index import ACCELERATE_AGAIN, Folder, app
from .options import Format, FormatOption
from .output import print_parts
from .progress import progress_bar
from .steer_push import OtherOptions

__all__ = ["app"]


@app.command()
def nuisances(
    index: Folder,
    field: Annotated[
        list[str] | None, Option("Only this metadata field, e.g. site; may be repeated. Default: all with few values.")
    ] = None,
    least: Annotated[float, Option("The smallest AUROC of a candidate."), Range(0.5, 1)] = 0.7,
    format: FormatOption = Format.text,
) -> None:
    """List features that separate sources, languages, repeated lines or lengths: candidates for `remove-features`."""
    from ..index import open_index
    from ..index.ask.nuisance import nuisances as look
    from ..index.ask.tables import nuisance_parts

    found = look(open_index(index), field, least)
    if format is Format.json:
        print_json(found.to_dict())
    else:
        print_parts(nuisance_parts(found), None)


@app.command(name="remove-features")
def remove_features(
    index: Folder,
    output: Annotated[Path, Option("The folder of the new index.")],
    features: Annotated[
        list[str] | None,
        typer.Argument(metavar="FEATURE...", help="Numbers, or labels that only one feature has."),
    ] = None,
    profile: Annotated[Path | None, Option("A profile of the kind project whose factors are 0 (JSON).")] = None,
    *,
    measured: OtherOptions,
) -> None:
    """Write a new index whose vectors lack these features, without encoding any document. The index does not change.

    With --data or --queries, the rankings of the two indexes are compared. Documents that are added to the new index
    later lose the same features. If interrupted, run the same command again to resume. Deleted documents stay in the
    files; run `index compact` first to leave them out.
    """
    from ..evaluate.profile_test import profile_test
    from ..index import open_index
    from ..index.build.remove import remove_features as remove
    from ..index.search.nearest import has_engine_files
    from ..steer import SteeringProfile

    opened = open_index(index)
    explainer = opened.explainer
    if profile is None and not features:
        raise InputError("give the features to remove, or --profile FILE")
    if profile is None:
        chosen = SteeringProfile({}, explainer.sae.digest, kind="project")
    else:
        chosen = SteeringProfile.load(profile, explainer.sae, explainer.earlier)
    chosen = chosen.with_factors([f"{one}=0" for one in features or ()], explainer.features)
    queries = measured.read(opened, None, None)
    with progress_bar() as progress:
        done = remove(index, chosen, output, progress)
    names = ", ".join(one.numbered for one in done.features)
    print_message(f"{output}: {done.documents:,} documents without {names}; {index} did not change")
    for sentence in profile_test(opened, chosen, queries, open_index(output)).sentences if queries else ():
        print_line(sentence)
    if has_engine_files(index):
        print_message(ACCELERATE_AGAIN.format(index=output))
