"""Labels without a language model: phrases that distinguish a feature's top texts from all others.

The score of a phrase (one to three words) is the number of the feature's top texts that contain it, times the log of
how much more frequent it is in them than in texts in general:  n_top * log( (n_top / top) / ((n_all + 1) / (all + 1))
). It counts texts, not occurrences, so that one repetitive text cannot decide the label.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ..text import STOP_WORDS, WORD, fold

LONGEST_PHRASE: Final = 3
MOST_WORDS: Final = 8
LEAST_TEXTS: Final = 3  # a phrase must occur in at least this many texts
FURTHER_TEXTS: Final = 0.25  # fraction of the top texts that must have a second or third phrase
FURTHER_SCORE: Final = 0.4  # a second or third phrase needs this fraction of the first one's score


def keyphrase_labels(
    texts: Callable[[int], str],
    examples: Sequence[Sequence[int]],
    background: Iterable[int],
    phrases: int = 3,
) -> list[str | None]:
    """A label of one to eight words per feature; None if its texts share no phrase.

    Args:
        texts: the text of a row.
        examples: per feature, the rows of its top texts.
        background: rows of a sample of all texts.
    """
    everywhere: Counter[str] = Counter()
    size = 0
    for row in background:
        everywhere.update(set(candidates(texts(row))))
        size += 1
    return [_label([texts(row) for row in rows], everywhere, size, phrases) for rows in examples]


def candidates(text: str) -> dict[str, str]:
    """Phrases of a text: folded form -> form in the text. No phrase starts or ends with a stop word."""
    phrases: dict[str, str] = {}
    for clause in re.split(r"[.,;:!?()\[\]{}\"\n|<>=]+", text):
        words = WORD.findall(clause)
        folded = [fold(word) for word in words]
        for start in range(len(words)):
            for end in range(start + 1, min(start + LONGEST_PHRASE, len(words)) + 1):
                if _informative(words[start], folded[start]) and _informative(words[end - 1], folded[end - 1]):
                    phrases.setdefault(" ".join(folded[start:end]), " ".join(words[start:end]))
    return phrases


def _informative(word: str, folded: str) -> bool:
    return len(folded) > 1 and word.lower() not in STOP_WORDS and folded not in STOP_WORDS and not folded.isdigit()


def _label(texts: list[str], everywhere: Counter[str], size: int, phrases: int) -> str | None:
    if not texts:
        return None
    texts_with: Counter[str] = Counter()
    written: dict[str, Counter[str]] = {}
    for text in texts:
        for phrase, form in candidates(text).items():
            texts_with[phrase] += 1
            written.setdefault(phrase, Counter())[form] += 1

    def score(phrase: str) -> float:
        lift = (texts_with[phrase] / len(texts)) / ((everywhere[phrase] + 1) / (size + 1))
        words = len(phrase.split())
        return texts_with[phrase] * math.log(lift) * (1.0 + 0.15 * (words - 1)) if lift > 1 else 0.0

    least = min(LEAST_TEXTS, len(texts))
    ranked = sorted((p for p in texts_with if texts_with[p] >= least), key=lambda p: (-score(p), p))
    chosen: list[str] = []
    for phrase in ranked:
        words = set(phrase.split())
        if score(phrase) <= 0 or len(chosen) == phrases:
            break
        if any(words & set(other.split()) for other in chosen):
            continue
        if chosen and score(phrase) < FURTHER_SCORE * score(chosen[0]):
            break
        if chosen and texts_with[phrase] < FURTHER_TEXTS * len(texts):
            continue
        if sum(len(p.split()) for p in [*chosen, phrase]) <= MOST_WORDS:
            chosen.append(phrase)
    return ", ".join(_form(written[phrase]) for phrase in chosen) or None


def _form(forms: Counter[str]) -> str:
    # Drop capitals that only occur at the start of sentences.
    best = max(forms, key=lambda form: (forms[form], form))
    lower = best[0].lower() + best[1:]
    return lower if lower in forms and best != lower else best
