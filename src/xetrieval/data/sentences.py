"""Sentences with their spans in the text. Rules, not a model, that work for headings, list items and prose."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# A sentence ends at a line break of any kind; at . ! ? (and closing quotes) before a space and a capital, digit or
# quote; and at the full stops of Chinese and Japanese, which no space follows.
LINE: Final = r"\s*[\n\r\x85\u2028\u2029]\s*"
BREAK: Final = re.compile(
    r"""(?:(?<=[.!?])|(?<=[.!?]["'”’)\]]))\s+(?=["'“‘«(\[¿¡]*[A-Z0-9À-ÖØ-ÞΑ-ΩА-Я])|(?<=[。！？])(?![。！？」』”’）])\s*|"""
    + LINE
)
ABBREVIATION: Final = re.compile(r"(?:\b(?:[A-Z]|e\.g|i\.e|etc|cf|vs|Dr|Mr|Mrs|Ms|St|Fig|Eq|No|al|approx)\.)$")
ANY_LINE: Final = re.compile(LINE)
LINE_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class Sentence(NamedTuple):
    """text[start:end] of the text it was split from."""

    start: int
    end: int
    text: str


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of `text`, in order, without the white space around them."""
    out: list[Sentence] = []
    start = 0
    for match in BREAK.finditer(text):
        if not ANY_LINE.search(match.group()) and ABBREVIATION.search(
            text, max(start, match.start() - 12), match.start()
        ):
            continue
        _add(out, text, start, match.start())
        start = match.end()
    _add(out, text, start, len(text))
    return out


def is_prose(sentence: str) -> bool:
    """Whether a sentence is worth learning features from: some words, mostly letters, neither code nor a fragment."""
    if not 30 <= len(sentence) <= 400 or len(sentence.split()) < 5:
        return False
    return sum(letter.isalpha() or letter == " " for letter in sentence) / len(sentence) > 0.8


def _add(out: list[Sentence], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        start += len(piece) - len(piece.lstrip())
        out.append(Sentence(start, start + len(stripped), stripped))
