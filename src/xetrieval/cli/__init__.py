"""The command line: the library's verbs, one file per noun. Importing it loads no model code."""

from .app import main

__all__ = ["main"]
