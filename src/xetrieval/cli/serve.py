"""xetrieval serve and mcp: the API and the page, or tools for agents, on this machine."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import Option, ServeConfig
from ..errors import InputError
from .console import print_message
from .options import ExplainerOption, open_explainer

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ..explain import Explainer
    from ..index import Index
    from ..serve.limits import Limits


def serve(
    context: typer.Context,
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
    _check_start(context, http=True)
    from ..serve.run import check_config, run

    check_config(config)
    run(*_opened(indexes or [], explainer), config, print_message)


def mcp(
    context: typer.Context,
    config: ServeConfig,
    indexes: Annotated[
        list[Path] | None,
        typer.Argument(metavar="INDEX...", help="Folders of indexes; without any, agents can explain only texts."),
    ] = None,
    explainer: ExplainerOption = "minilm",
    *,
    http: Annotated[bool, Option("Listen on a port, at /mcp; otherwise talk on standard input and output.")] = False,
) -> None:
    """Let agents search and explain: a server of the Model Context Protocol (docs/agents.md)."""
    _check_start(context, http=http)
    from ..extras import require

    require("mcp.server", "mcp")
    from ..connect.mcp import mcp_app, run_stdio
    from ..serve.limits import MCP, Gate
    from ..serve.run import check_config, listen

    check_config(config)
    opened, own = _opened(indexes or [], explainer)
    if not opened:
        print_message("no INDEX: agents can explain only texts")
    if not http:
        run_stdio(opened, own)
        return

    def make(limits: Limits, hosts: frozenset[str], token: str | None, prefix: str) -> ASGIApp:
        return Gate(mcp_app(opened, own, hosts), limits, hosts, token, prefix)

    def started(url: str, token: str | None) -> None:
        needed = f"; it needs the header Authorization: Bearer {token}" if token else ""
        print_message(f"{url}{MCP}{needed}   (Ctrl-C stops it)")

    listen(make, own, config, started)


def _check_start(context: typer.Context, *, http: bool) -> None:
    """Refuse options on the command line that would have no effect."""
    typed = {
        name for name in context.params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
    if {"explainer", "indexes"} <= typed:
        raise InputError("--explainer cannot be combined with INDEX: an index has its own explainer")
    for field in fields(ServeConfig):
        if field.name in typed and not http:
            raise InputError(f"--{field.name.replace('_', '-')} needs --http: otherwise nothing listens on a port")


def _opened(folders: list[Path], explainer: str) -> tuple[dict[str, Index], Explainer]:
    """Indexes by the names of their folders, and an explainer for texts."""
    from ..index import open_index

    opened: dict[str, Index] = {}
    for folder in folders:
        name = Path(os.path.realpath(folder)).name
        if name in opened:
            raise InputError(f"two indexes are called {name!r}; rename one of the folders")
        opened[name] = open_index(folder)
    return opened, next((index.explainer for index in opened.values()), None) or open_explainer(explainer, None, None)
