"""Text made safe to show: on one line, without characters that a terminal or a page would act on."""

from __future__ import annotations

import unicodedata
from typing import Final

UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn")


def printable(text: str) -> str:
    """`text` on one line, without control, formatting or direction-changing characters."""
    spaced = "".join(" " if character in "\t\r\n\v\f" else character for character in text)
    return " ".join("".join(c for c in spaced if unicodedata.category(c) not in UNSEEN).split())


def shorten(text: str, most: int = 160) -> str:
    """`text` on one line, printable, cut at its end."""
    line = printable(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
