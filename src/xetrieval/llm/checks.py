"""Checks that apply to any text a language model writes.

A fault is a sentence that the model reads when it is asked again. It is part of that request's cache key: do not reword
one, or paid answers will be requested again.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final, Generic, NamedTuple, TypeVar

from ..text import UNSEEN

Value = TypeVar("Value", covariant=True)

REFUSAL: Final = re.compile(
    r"^\W*(i'?m sorry|sorry,|i am sorry|i apologi[sz]e|i can(no|')t |i am (not able|unable)|i'?m (not able|unable)"
    r"|as an? (ai|language model|large language)|unfortunately, i )",
    re.IGNORECASE,
)
PREAMBLE: Final = re.compile(
    r"^(sure|certainly|of course|here(?: is|'s| are))\b[^\n]{0,100}[:!]\s*\n*|^(summary|purpose)\s*:\s*", re.IGNORECASE
)
# The most common words of a few languages, enough to tell only these languages apart.
FUNCTION_WORDS: Final = {
    language: frozenset(words.split())
    for language, words in {
        "English": "the of and to in is that for it with are this be from which on as by",
        "German": "der die und das ist nicht mit den ein eine für auf werden wird sich auch dem von",
        "French": "le la les des et est une dans pour que qui sur avec pas du au ce sont",
        "Spanish": "el los las una que para con por del como más está son pero al lo se",
        "Italian": "il che di una per con non sono della gli nel alla più come dei questo è si",
        "Portuguese": "os uma para com não que do da dos das em mais como por são ao foi pelo",
        "Dutch": "het een van en dat niet zijn voor met op aan ook wordt deze bij naar door worden",
    }.items()
}


class Checked(NamedTuple, Generic[Value]):
    """A value read from an answer, or why the answer is unusable."""

    value: Value | None
    fault: str | None = None  # None: usable


def clean(text: str) -> str:
    """Without unprintable characters, hidden reasoning, a preamble ("Here is the summary:") and enclosing quotes."""
    kept = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in UNSEEN)
    kept = re.sub(r"<think>.*?(?:</think>|\Z)", "", kept, flags=re.DOTALL).strip()
    kept = PREAMBLE.sub("", kept, count=1).strip()
    return kept[1:-1].strip() if len(kept) > 1 and kept[0] == kept[-1] == '"' and '"' not in kept[1:-1] else kept


def unprintable(text: str) -> bool:
    """Whether it contains control, formatting or direction-changing characters other than line breaks and tabs."""
    return any(unicodedata.category(c) in UNSEEN for c in text if c not in "\n\r\t")


def words_of(text: str) -> list[str]:
    """Words, case-folded."""
    return re.findall(r"\w+", text.casefold())


def function_words(words: list[str]) -> Counter[str]:
    """How many of `words` are function words of each language."""
    return Counter({name: sum(word in known for word in words) for name, known in FUNCTION_WORDS.items()})


def other_script(text: str, source: str) -> str | None:
    """What differs, e.g. "Cyrillic letters instead of Latin", if `text` is not in the script of `source`."""
    script, expected = _script(text), _script(source)
    return (
        f"{script.title()} letters instead of {expected.title()}"
        if script and expected and script != expected
        else None
    )


def _script(text: str) -> str | None:
    """The script of at least 80 % of the letters, by their Unicode names; None for fewer than ten letters."""
    counts = Counter(unicodedata.name(letter, "?").split()[0] for letter in text[:2000] if letter.isalpha())
    if counts.total() < 10:
        return None
    script, number = counts.most_common(1)[0]
    return script if number > 0.8 * counts.total() else None
