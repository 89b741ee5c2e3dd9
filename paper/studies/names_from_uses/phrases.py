"""The phrases of many texts as numbers, and what each one is like: how common, how whole, how much a noun phrase.

Without a parser three signs tell a noun phrase from a fragment, over all places where it occurs: it fills the whole
stretch between two stop words or marks; its last word ends such stretches; and no longer phrase takes its place nearly
always ("united" is seldom without "states").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xetrieval.arrays import Float64
from xetrieval.labels.keyphrases import LONGEST_PHRASE
from xetrieval.text import STOP_WORDS, WORD, fold

READ: Final = 2000  # characters of a text that phrases are taken from: more than encoders read of it, mostly
LEAST_TEXTS: Final = 2  # that hold a phrase, for it to name anything
VERBAL: Final = frozenset(["to", "i", "you", "we", "they", "can", "will", "not", "don't", "could", "would", "please"])
PRIOR: Final = 6.0  # places, a third of them whole, that are added to those of a phrase: a rare one proves little
ABSORBED: Final = 0.8  # of a phrase's places lie in one longer phrase: then it is a fragment
CLAUSES: Final = re.compile(r"[.,;:!?()\[\]{}\"\n|<>=/*]+")


class Phrases(NamedTuple):
    """P phrases of n texts."""

    written: list[str]  # [P], as mostly written
    folded: list[str]  # [P]
    of_text: list[NDArray[np.int32]]  # [n], ascending phrase ids of each text
    texts: NDArray[np.int64]  # [P], how many texts hold it
    noun: Float64  # [P], 0 a fragment .. 1 a noun phrase by the signs above


class _Seen:
    """What is counted of one phrase over all its places."""

    __slots__ = ("alone", "ends", "forms", "places", "verbal")

    def __init__(self) -> None:
        self.places = self.alone = self.ends = self.verbal = 0
        self.forms: Counter[str] = Counter()


def phrases_of(texts: Sequence[str], least: int = LEAST_TEXTS) -> Phrases:
    """All phrases of one to three words that at least `least` of the texts hold."""
    seen: dict[str, _Seen] = {}
    held: list[set[str]] = []
    for text in texts:
        found: set[str] = set()
        for stretch, before in _stretches(text[:READ]):
            _count(stretch, before, seen, found)
        held.append(found)
    many = Counter(phrase for found in held for phrase in found)
    folded = sorted(phrase for phrase, count in many.items() if count >= least)
    number = {phrase: i for i, phrase in enumerate(folded)}
    of_text = [np.array(sorted(number[p] for p in found if p in number), np.int32) for found in held]
    whole = _whole(folded, seen)
    return Phrases(
        [_form(seen[phrase].forms) for phrase in folded],
        folded,
        of_text,
        np.array([many[phrase] for phrase in folded], np.int64),
        np.array([_noun(phrase, seen[phrase]) for phrase in folded]) * whole,
    )


def _stretches(text: str) -> list[tuple[list[str], str]]:
    """Runs of words between stop words and marks, each with the word before it."""
    out: list[tuple[list[str], str]] = []
    for clause in CLAUSES.split(text):
        run: list[str] = []
        before = last = ""
        for word in WORD.findall(clause):
            lower = word.lower().replace("’", "'")
            if lower in STOP_WORDS or len(word) < 2 or word.isdigit():
                if run:
                    out.append((run, before))
                run, last = [], lower
            else:
                before = before if run else last
                run.append(word)
        if run:
            out.append((run, before))
    return out


def _count(stretch: list[str], before: str, seen: dict[str, _Seen], found: set[str]) -> None:
    folded = [fold(word) for word in stretch]
    for start in range(len(stretch)):
        for end in range(start + 1, min(start + LONGEST_PHRASE, len(stretch)) + 1):
            phrase = " ".join(folded[start:end])
            one = seen.setdefault(phrase, _Seen())
            one.places += 1
            one.alone += end - start == len(stretch)
            one.ends += end == len(stretch)
            one.verbal += start == 0 and before in VERBAL
            one.forms[" ".join(stretch[start:end])] += 1
            found.add(phrase)


def _noun(phrase: str, one: _Seen) -> float:
    places = one.places + PRIOR
    alone, ends, verbal = (one.alone + PRIOR / 3) / places, (one.ends + PRIOR / 3) / places, one.verbal / places
    adverb = phrase.endswith("ly") and " " not in phrase
    return max(0.05, (0.35 + 0.65 * max(alone, 0.8 * ends)) * (1 - 0.5 * verbal) * (0.4 if adverb else 1.0))


def _whole(folded: list[str], seen: dict[str, _Seen]) -> Float64:
    """1, or less where nearly all places of a phrase lie in one longer phrase."""
    longest: dict[str, int] = {}
    for phrase in folded:
        words = phrase.split()
        parts = {" ".join(words[a:b]) for a in range(len(words)) for b in range(a + 1, len(words) + 1)} - {phrase}
        for part in parts:
            longest[part] = max(longest.get(part, 0), seen[phrase].places)
    return np.array([0.3 if longest.get(p, 0) >= ABSORBED * seen[p].places else 1.0 for p in folded])


def _form(forms: Counter[str]) -> str:
    """As mostly written; without a capital that only stands at the start of sentences."""
    best = max(forms, key=lambda form: (forms[form], form))
    lower = best[0].lower() + best[1:]
    return lower if lower in forms else best
