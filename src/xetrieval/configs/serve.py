"""How an index is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from .option import Checked, Option, Range


@dataclass(frozen=True)
class ServeConfig(Checked):
    """Where a server listens, and who may use it."""

    port: Annotated[int, Option("The port."), Range(1, 65535)] = 8321
    host: Annotated[str, Option("The address to listen on; any but this machine's own needs a token.")] = "127.0.0.1"
    token: Annotated[str | None, Option("The token that every request must carry.", variable="XETRIEVAL_TOKEN")] = None
    allow_host: Annotated[
        list[str] | None, Option("Another host name that requests may use; may be repeated.", metavar="NAME")
    ] = None
    root_path: Annotated[str, Option("The prefix of the server's paths behind a proxy.", metavar="/NAME")] = ""
    quiet: Annotated[bool, Option("Do not log requests.")] = False
