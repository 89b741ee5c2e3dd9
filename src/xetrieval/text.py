"""Makes text safe to display: one line, without characters that a terminal or a page would interpret."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 480  # characters of a message
UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, formatting, surrogate, private, unassigned
WORD: Final = re.compile(r"[^\W_][\w'’+#-]*|[A-Za-z]\+\+")
STOP_WORDS: Final = frozenset(
    """a about above after again against all also am an and any anyone anything are aren't around as at be because
    been before being below between both but by can can't cannot come could couldn't did didn't do does doesn't
    doing don't down during each either else etc even ever every few first following for from further get gets
    getting give go going good got had has have haven't having he her here hers him his how however i i'd i'll
    i'm i've if in instead into is isn't it it's its itself just keep know last least let let's like look lot made
    make makes making many may maybe me might more most much must my need never no non not nothing now of off often
    oh ok on once one ones only onto or other others our out over own per perhaps please put quite rather re really
    said same say see seem seems several she should shouldn't similar simply since so some someone something still
    such sure take tell than thank thanks that that's the their them then there there's these they they're thing
    things think this those though through thus to too try trying two under until up upon us use used uses using
    usually very via want wants was wasn't way we we're well went were what what's when where whether which while
    who whom whose why will with within without won't would wouldn't yes yet you you'd you'll you're your yours
    e.g i.e eg ie vs q a""".split()  # noqa: SIM905  # one word per line would fill four screens
)


def printable(text: str) -> str:
    """`text` on one line, without control, formatting or direction-changing characters."""
    spaced = "".join(" " if character in "\t\r\n\v\f" else character for character in text)
    return " ".join("".join(c for c in spaced if unicodedata.category(c) not in UNSEEN).split())


def shorten(text: str, most: int = 160) -> str:
    """`text` on one line, printable, cut at its end."""
    line = printable(text)
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def clip(text: str, most: int = LONGEST) -> str:
    """A text quoted in a message, or a whole message, cut in the middle if it is longer than `most` characters."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 3].rstrip()} … {text[len(text) - end :].lstrip()}"


def fold(word: str) -> str:
    """Lower case and without a plural s, so that Kidney and kidneys are one word."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    return word
