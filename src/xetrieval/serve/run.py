"""Runs a server, from its first check to its end."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ..configs import ServeConfig
from ..errors import InputError, XetrievalError
from ..explain import Explainer
from ..extras import require
from .address import LOOPBACK, check_prefix, check_token, host_names

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ..index import Index
    from .limits import Limits

    MakeApp = Callable[[Limits, frozenset[str], str | None, str], ASGIApp]  # of limits, host names, token, prefix

EVERYWHERE: Final = ("0.0.0.0", "::")


def check_config(config: ServeConfig) -> tuple[frozenset[str], str]:
    """The host names and the prefix of a server.

    Raises:
        InputError: one of them, or the token, cannot be used.
    """
    check_token(config.token)
    return host_names(config.allow_host or ()), check_prefix(config.root_path)


def run(
    indexes: Mapping[str, Index], explainer: Explainer, config: ServeConfig, started: Callable[[str], None]
) -> None:
    """Serve the API and the page until a signal; see `listen`."""
    require("fastapi", "ui")
    from .app import create_app

    def make(limits: Limits, hosts: frozenset[str], token: str | None, prefix: str) -> ASGIApp:
        return create_app(indexes, explainer, limits, hosts, token, root_path=prefix)

    def address(url: str, token: str | None) -> str:
        return f"{url}/{'?token=' + quote(token, safe='') if token else ''}"

    listen(make, explainer, config, lambda url, token: started(f"{address(url, token)}   (Ctrl-C stops it)"))


def listen(
    make: MakeApp, explainer: Explainer, config: ServeConfig, started: Callable[[str, str | None], None]
) -> None:
    """Serve an application until a signal; requests in progress are still answered.

    On an address other than this machine's own, a server without a token generates one, and without host names accepts
    any.

    Args:
        make: makes the application.
        explainer: its encoder is loaded before the first request.
        started: called with the address and the token.
    Raises:
        InputError: see `check_config`; or the address is in use.
    """
    uvicorn = require("uvicorn", "ui")
    from .encoder import SharedEncoder
    from .limits import Limits
    from .listen import listening

    host, port = config.host, config.port
    names, prefix = check_config(config)
    token = config.token
    local = host in LOOPBACK
    if not local and token is None:
        token = secrets.token_urlsafe(18)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            what = "--host" if isinstance(error, socket.gaierror) else "--port"
            raise InputError(
                f"cannot listen on {host}, port {port} ({error.strerror}); choose another {what}"
            ) from error
    with suppress(XetrievalError):  # an explainer of vectors without texts has no encoder to load
        SharedEncoder(explainer.encoder).encode_query(["load the model before the first request"])  # past the cache
    log = logging.getLogger("xetrieval.serve")
    log.setLevel(logging.WARNING if config.quiet else logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    known = LOOPBACK | names | (frozenset() if host in EVERYWHERE else {host.lower()})
    limits, hosts = Limits(), known if local or names else frozenset()
    app = make(limits, hosts, token, prefix)
    shown = f"[{host}]" if ":" in host else host
    started(f"http://{shown}:{port}{prefix}", token)
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
