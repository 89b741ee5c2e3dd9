"""xetrieval serve: the API and the page, on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import say
from .options import ExplainerOption, open_explainer

if TYPE_CHECKING:
    from ..explain import Explainer
    from ..index import Index

PORT = 8321
EVERYWHERE = ("0.0.0.0", "::")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    indexes: Annotated[
        list[Path] | None,
        typer.Argument(metavar="INDEX...", help="Folders of indexes; without one, only texts can be explained."),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port.")] = PORT,
    host: Annotated[
        str, typer.Option("--host", help="The address to listen on; any but this machine's own needs a token.")
    ] = ("127.0.0.1"),
    token: Annotated[
        str | None,
        typer.Option(
            "--token", envvar="XETRIEVAL_TOKEN", help="The token that every request must carry.", show_envvar=True
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A further host name that requests may use."),
    ] = None,
    root_path: Annotated[
        str, typer.Option("--root-path", metavar="/NAME", help="The prefix of its paths behind a proxy.")
    ] = "",
    explainer: ExplainerOption = "minilm",
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not log requests.")] = False,
) -> None:
    """Serve the API and the page. The log does not contain queries."""
    from ..errors import InputError
    from ..index import open_index
    from ..serve.address import check_prefix, check_token, host_names

    check_token(token)
    names, prefix = host_names(allow_host or ()), check_prefix(root_path)
    opened: dict[str, Index] = {}
    for folder in indexes or []:
        name = Path(os.path.realpath(folder)).name
        if name in opened:
            raise InputError(f"two indexes are called {name!r}; rename one of the folders")
        opened[name] = open_index(folder)
    own = next((index.explainer for index in opened.values()), None) or open_explainer(explainer, None, None)
    run(opened, own, host, port, token, quiet, names, prefix)


def run(
    opened: dict[str, Index],
    explainer: Explainer,
    host: str,
    port: int,
    token: str | None,
    quiet: bool,
    names: frozenset[str] = frozenset(),
    prefix: str = "",
) -> None:
    """Until a signal ends it; what is being answered then is answered to its end.

    Args:
        names: that it may be addressed by, besides this machine's own; on another address than this machine's own,
            none is any.
        prefix: what its paths begin with.
    """
    import logging
    import secrets
    import socket
    from contextlib import suppress

    from ..errors import InputError, XetrievalError
    from ..extras import require

    uvicorn = require("uvicorn", "ui")
    require("fastapi", "ui")
    from ..serve.address import LOOPBACK as NAMES
    from ..serve.app import create_app
    from ..serve.encoder import SharedEncoder
    from ..serve.limits import Limits
    from ..serve.listen import listening

    local = host in LOOPBACK
    if not local and token is None:
        token = secrets.token_urlsafe(18)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"cannot listen on {host}, port {port} ({error.strerror}); choose another --port"
            ) from error
    with suppress(XetrievalError):  # an explainer of vectors alone has no encoder to load
        SharedEncoder(explainer.encoder).encode_query(["load the model before the first request"])  # past the cache
    log = logging.getLogger("xetrieval.serve")
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    known = NAMES | names | (frozenset() if host in EVERYWHERE else {host.lower()})
    limits, hosts = Limits(), known if local or names else frozenset()
    app = create_app(opened, explainer, limits, hosts, token, root_path=prefix)
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{port}{prefix}/{'?token=' + token if token else ''}   (Ctrl-C ends it)")
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=listening(limits),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=30,
        timeout_keep_alive=20,
    )
