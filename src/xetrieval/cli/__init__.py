"""The command line: the library's verbs, one file per noun. Importing it loads no model code."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C while it is still being loaded ends it with a line, as later."""
    try:
        from .app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("xetrieval: interrupted; run the same command again to resume\n")
        sys.exit(130)
    run()
