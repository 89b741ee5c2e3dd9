"""Splits text into sentences with their spans, by rules (not a model) that work for headings, list items and prose."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# A sentence ends at a line break of any kind; at . ! ? (and closing quotes) before a space, unless a lower-case letter
# follows that is not a list item; and at the full stops of scripts without spaces or capitals.
LINE: Final = r"\s*[\n\r\x85\u2028\u2029]\s*"
BREAK: Final = re.compile(
    r"""(?:(?<=[.!?])|(?<=[.!?]["'”’)\]]))\s+(?=["'“‘«(\[¿¡]*[^\W_]|[-–•*]\s)|"""
    r"""(?<=[。！？])(?![。！？」』”’）])\s*|(?<=[।॥؟۔։።။។])\s*|""" + LINE
)
ABBREVIATION: Final = re.compile(
    r"""(?:\b(?:[A-Z]|e\.g|i\.e|cf|vs|viz|Dr|Mr|Mrs|Ms|Messrs|Prof|Rev|Hon|Gen|Col|Sgt|Capt|Lt|Gov|Sen|Rep|Jr|Sr|St|Mt|Ft
    |Inc|Corp|Ltd|Co|Bros|Univ|Dept|Fig|Figs|Eq|Eqs|Ref|Refs|No|Nos|al|approx|ca|resp|incl|esp|ibid
    |Nr|bzw|ggf|z\.B|d\.h|Mme|Mlle|Sra?|Dra|Sig|Ing)\.)$""",
    re.VERBOSE,
)
NUMERAL: Final = re.compile(r"\s*\d{1,3}\.")  # number of a list item
BEFORE_NUMBER: Final = re.compile(
    r"\b(?:no|nos|p|pp|vol|vols|ch|sec|fig|eq|art|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.$", re.IGNORECASE
)
ANY_LINE: Final = re.compile(LINE)
LINE_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")


class Sentence(NamedTuple):
    """text[start:end] of the text it was split from."""

    start: int
    end: int
    text: str

    def left_out(self, text: str) -> str:
        """That text without this sentence."""
        return text[: self.start] + text[self.end :]


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of `text`, in order, without the white space around them."""
    out: list[Sentence] = []
    start = 0
    for match in BREAK.finditer(text):
        if not ANY_LINE.search(match.group()) and _goes_on(text, start, *match.span()):
            continue
        _add(out, text, start, match.start())
        start = match.end()
    _add(out, text, start, len(text))
    return out


def _goes_on(text: str, start: int, end: int, following: int) -> bool:
    """Whether text[start:end] ends with an abbreviation, is a list number, or is followed by a lower-case letter."""
    after = text[following : following + 3].lstrip("\"'“‘«([¿¡")[:1]
    last = max(start, end - 12)
    if after.islower() or ABBREVIATION.search(text, last, end) or NUMERAL.fullmatch(text, start, end):
        return True
    return after.isdigit() and BEFORE_NUMBER.search(text, last, end) is not None


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
