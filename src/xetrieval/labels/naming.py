"""Is it a label? One rule for every source: models, worksheets and release files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

from ..llm import Answer
from ..teachers.checks import FUNCTION_WORDS, REFUSAL, clean, script_of, words_of

MOST_WORDS: Final = 8
MOST_LETTERS: Final = 100
LINE: Final = re.compile(r"^\W*label\W*:\s*(?P<label>.+?)\s*$", re.IGNORECASE)
MARKUP: Final = re.compile(r"<[^>]*>|https?://|[`{}\[\]|\\]|\*\*|^[#>]", re.IGNORECASE)
MIXED: Final = "mixed: "
EMPTY_WORDS: Final = frozenset(
    """a about all and any common content different document documents etc feature features for general in kind kinds
    label misc miscellaneous mixed mixture of on or other others passage passages related sentence sentences several
    similar some stuff subject subjects text texts the theme themes thing things to topic topics unclear unknown
    unrelated various word words""".split()  # noqa: SIM905  # a list of words, one a line, would fill a screen
)


class Named(NamedTuple):
    """A label, or why there is none."""

    label: str
    fault: str | None  # None: it is of use


def read_label(answer: Answer, texts: Iterable[str]) -> Named:
    """The label on the last line of an answer, as the prompt asks for it.

    Args:
        texts: that it names; it must be in their language and script.
    """
    text = clean(answer.text)
    if not text:
        return Named("", "it was empty")
    if _unprintable(answer.text):
        return Named("", "it held control characters")
    if REFUSAL.match(text):
        return Named("", "it was a refusal")
    match = LINE.match(text.splitlines()[-1])
    if match is None:
        cut = "; it was cut off" if answer.finish == "length" else ""
        return Named("", f"its last line was not LABEL: and a name{cut}")
    return check_label(match["label"].strip(" \"'.“”*"), texts)


def check_label(label: str, texts: Iterable[str] = ()) -> Named:
    """A label of one to eight words that says something.

    A prefix "mixed: " does not count: mixed features are named by their parts.
    """
    label = " ".join(label.split())
    fault = _fault(label, " ".join(texts))
    return Named("" if fault else label, fault)


def _fault(label: str, source: str) -> str | None:
    words = label.removeprefix(MIXED).split()
    if not words:
        return "the label was empty"
    if _unprintable(label):
        return "the label held control characters"
    if MARKUP.search(label):
        return "the label held markup"
    if REFUSAL.match(label):
        return "it was a refusal"
    if len(words) > MOST_WORDS or len(label) > MOST_LETTERS:
        return f"the label had {len(words)} words and {len(label)} letters, at most {MOST_WORDS} and {MOST_LETTERS}"
    if all(word.strip(".,;:()").casefold() in EMPTY_WORDS for word in words):
        return "the label says nothing; be specific"
    return _other_language(label, source)


def _unprintable(text: str) -> bool:
    """Whether it holds control, formatting or direction-changing characters, line breaks aside."""
    return any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") for c in text if c not in "\n\r\t")


def _other_language(label: str, source: str) -> str | None:
    """A label is too short to count words in; two function words of another language, none of the texts' own, tell."""
    script, own = script_of(label), script_of(source)
    if script and own and script != own:
        return f"the label was in {script.title()} letters instead of {own.title()}"
    theirs = _hits(words_of(source))
    if not theirs:
        return None
    language = max(theirs, key=lambda name: theirs[name])
    found = _hits(words_of(label))
    other = max(found, key=lambda name: found[name], default=language)
    if found.get(other, 0) >= 2 and found.get(other, 0) > found.get(language, 0) + 1:
        return f"the label was in {other} instead of {language}"
    return None


def _hits(words: list[str]) -> dict[str, int]:
    counts = {name: sum(word in known.split() for word in words) for name, known in FUNCTION_WORDS.items()}
    return {name: count for name, count in counts.items() if count}
