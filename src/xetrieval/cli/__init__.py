"""The command line, one file per group of commands. Importing it loads no model code."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line. Ctrl-C ends it with a one-line message even while it is still loading."""
    try:
        from .app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("xetrieval: interrupted; run the same command again to resume\n")
        sys.exit(130)
    run()
