"""xetrieval serve: the API and the page, on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import ServeConfig
from .console import print_message
from .options import ExplainerOption, open_explainer

if TYPE_CHECKING:
    from ..index import Index


def serve(
    config: ServeConfig,
    indexes: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INDEX...", help="Folders of indexes; without any, the server explains only pairs of texts."
        ),
    ] = None,
    explainer: ExplainerOption = "minilm",
) -> None:
    """Serve the API and the page. The log does not contain queries."""
    from ..errors import InputError
    from ..index import open_index
    from ..serve.run import check_config, run

    check_config(config)
    opened: dict[str, Index] = {}
    for folder in indexes or []:
        name = Path(os.path.realpath(folder)).name
        if name in opened:
            raise InputError(f"two indexes are called {name!r}; rename one of the folders")
        opened[name] = open_index(folder)
    own = next((index.explainer for index in opened.values()), None) or open_explainer(explainer, None, None)
    run(opened, own, config, print_message)
