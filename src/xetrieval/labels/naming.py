"""Checks whether a text is a label, by the same rule for all sources: models, worksheets and release files.

The faults are sentences that models read; see `llm.checks` before rewording one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..llm import Answer, Checked
from ..llm.checks import REFUSAL, clean, function_words, other_script, unprintable, words_of

MOST_WORDS: Final = 8
MOST_CHARACTERS: Final = 100
LINE: Final = re.compile(r"^\W*label\W*:\s*(?P<label>.+?)\s*$", re.IGNORECASE)
MARKUP: Final = re.compile(r"<[^>]*>|https?://|[`{}\[\]|\\]|\*\*|^[#>]", re.IGNORECASE)
MIXED: Final = "mixed: "
EMPTY_WORDS: Final = frozenset(
    """a about all and any common content different document documents etc feature features for general in kind kinds
    label misc miscellaneous mixed mixture of on or other others passage passages related sentence sentences several
    similar some stuff subject subjects text texts the theme themes thing things to topic topics unclear unknown
    unrelated various word words""".split()  # noqa: SIM905  # one word per line would fill a screen
)


def read_label(answer: Answer, texts: Iterable[str]) -> Checked[str]:
    """The label on the last line of an answer, as the prompt requires.

    Args:
        texts: the label must be in their language and script.
    """
    text = clean(answer.text)
    if answer.filtered:
        return Checked(None, "the server's content filter cut it off")
    if not text:
        return Checked(None, "it was empty")
    if unprintable(answer.text):
        return Checked(None, "it held control characters")
    if REFUSAL.match(text):
        return Checked(None, "it was a refusal")
    match = LINE.match(text.splitlines()[-1])
    if match is None:
        cut = "; it was cut off" if answer.finish == "length" else ""
        return Checked(None, f"its last line was not LABEL: and a name{cut}")
    return check_label(match["label"].strip(" \"'.“”*"), texts)


def check_label(label: str, texts: Iterable[str] = ()) -> Checked[str]:
    """A specific label of one to eight words, or the reason why it is not one.

    The prefix "mixed: " is not counted: a mixed feature is labelled with its parts.
    """
    label = " ".join(label.split())
    fault = _fault(label, " ".join(texts))
    return Checked(None, fault) if fault else Checked(label)


def _fault(label: str, source: str) -> str | None:
    words = label.removeprefix(MIXED).split()
    if not words:
        return "the label was empty"
    if unprintable(label):
        return "the label held control characters"
    if MARKUP.search(label):
        return "the label held markup"
    if REFUSAL.match(label):
        return "it was a refusal"
    if len(words) > MOST_WORDS or len(label) > MOST_CHARACTERS:
        return f"the label had {len(words)} words and {len(label)} letters, at most {MOST_WORDS} and {MOST_CHARACTERS}"
    if all(word.strip(".,;:()").casefold() in EMPTY_WORDS for word in words):
        return "the label says nothing; be specific"
    differs = other_script(label, source) or _other_language(label, source)
    return f"the label was in {differs}" if differs else None


def _other_language(label: str, source: str) -> str | None:
    """Labels are short, so two more function words of a different language than of the texts' own are enough."""
    theirs, own = function_words(words_of(source)), function_words(words_of(label))
    (expected, certain), (language, count) = theirs.most_common(1)[0], own.most_common(1)[0]
    return f"{language} instead of {expected}" if certain and count >= 2 and count > own[expected] + 1 else None
