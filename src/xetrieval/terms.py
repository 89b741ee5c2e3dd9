"""Finds the terms of many texts: words and short phrases by stem, with their most frequent spelling.

Without a parser, three signs distinguish a noun phrase from a fragment, over all its occurrences: it fills the whole
stretch between two stop words or punctuation marks, or at least ends one; and it is not nearly always part of a longer
phrase ("united" rarely occurs without "states").

A stop word counts as a term if it is quoted: texts about usage contrast "who" with "whom".
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Float64
from .text import STOP_WORDS, WORD, fold

READ: Final = 2000  # characters of a text: more than most encoders read
LONGEST: Final = 2  # words of a term
LEAST_TEXTS: Final = 3  # a term must occur in at least this many texts
MOST_TERMS: Final = 6000  # only the most frequent
FRAGMENT: Final = 0.8  # a term that occurs this often inside one longer term is a fragment of it
ENDS: Final = 0.8  # weight of an occurrence at the end of a stretch; one that fills a stretch has weight 1
PRIOR: Final = 6.0  # prior occurrences, a third of them whole, since a rare term proves little
WHOLE: Final = 1.5  # if two in three occurrences are whole, the term is a noun phrase
CLAUSES: Final = re.compile(r"(?:\\[A-Za-z]+|[.,;:!?()\[\]{}\"\n|<>=/*])+")  # commands of TeX (\rangle) are not words
TOKEN: Final = re.compile(rf"_*(?:{WORD.pattern})(?<!['’])")  # keeps underscores of names in code: __slots__
QUOTED: Final = re.compile(r"""(?<!\w)["“‘'`]([^"“”‘’'`\n]{1,40}(?:['’]\w+[^"“”‘’'`\n]{0,30})?)["”’'`](?!\w)""")
INSIDE: Final = 20  # weight of a spelling inside a clause; at the start of one, a capital proves nothing
FEWEST_ALIKE: Final = 5  # common first characters of two forms of a word
ALIKE: Final = 0.8  # they must be this fraction of the longer form
MOST_QUOTED: Final = 5  # quotations of up to this many words make stop words count
VOWELS: Final = frozenset("aeiouy")
SUFFIXES: Final = (  # longest first, with the fewest characters that must remain
    *(("fully", 4), ("ively", 3), ("ional", 3), ("ically", 4), ("ally", 4), ("ical", 4), ("ions", 3), ("ments", 4)),
    *(("ment", 4), ("ings", 3), ("ion", 3), ("ive", 3), ("ing", 3), ("ers", 4), ("ors", 4), ("ly", 4), ("er", 4)),
    *(("or", 4), ("ed", 3), ("ic", 4), ("e", 3), ("y", 4)),
)


class Terms(NamedTuple):
    """T terms of n texts, in the order of their stems."""

    stems: list[str]  # [T]
    written: list[str]  # [T], most frequent spellings
    of_text: list[NDArray[np.int64]]  # [n], the terms of each text, ascending
    noun: Float64  # [T], 0 a fragment .. 1 a noun phrase


class _Seen:
    """Counts over all occurrences of a term."""

    __slots__ = ("forms", "places", "whole")

    def __init__(self) -> None:
        self.places, self.whole = 0, 0.0
        self.forms: Counter[str] = Counter()


def terms_of(texts: Sequence[str], least: int = LEAST_TEXTS, most: int = MOST_TERMS) -> Terms:
    """The `most` frequent terms among those that at least `least` texts contain."""
    seen: dict[str, _Seen] = {}
    stems: dict[str, str] = {}
    held = [_count(text, seen, stems) for text in texts]
    texts_with = Counter(term for found in held for term in found)
    often = [term for term, count in texts_with.items() if count >= least]
    longer = _longer(often, seen)
    kept = [term for term in often if longer.get(term, 0) < FRAGMENT * seen[term].places]
    kept = sorted(sorted(kept, key=lambda term: (-texts_with[term], term))[:most])
    number = {term: i for i, term in enumerate(kept)}
    noun = [WHOLE * (seen[t].whole + PRIOR / 3) / (seen[t].places + PRIOR) for t in kept]
    return Terms(
        kept,
        [_form(seen[term].forms) for term in kept],
        [np.array(sorted(number[term] for term in found if term in number), np.int64) for found in held],
        np.minimum(1.0, np.array(noun, np.float64)),
    )


def stem(word: str) -> str:
    """A word without its plural and one English suffix: distilled and distillers both become distill.

    Hyphens and underscores are removed: date_time and datetime are one word.
    """
    word = fold(word).replace("_", "").replace("-", "")
    if len(word) < 4 or not (word.isascii() and word.isalpha()):
        return word
    for suffix, least in SUFFIXES:
        rest = word.removesuffix(suffix)
        if least <= len(rest) < len(word) and VOWELS & set(rest):
            doubled = len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "aeiouls"
            return rest[:-1] if doubled else rest
    return word


def contains_term(text: str, label: str) -> bool:
    """Whether a text contains one of the terms of a label, which commas separate."""
    return any(contains(text, term) for term in label_terms(label))


def contains(text: str, term: str) -> bool:
    """Whether a text contains a term, by stem, or another form of it if it is one word: matrices for matrix."""
    return term in terms_in(text) or any(
        same_family(term, other) for other in _beginnings(text).get(term[:FEWEST_ALIKE], ())
    )


def same_family(first: str, second: str) -> bool:
    """Whether two stems are probably forms of one word: most of the longer one is their common beginning."""
    if first == second:
        return True
    common = max(FEWEST_ALIKE, math.ceil(ALIKE * max(len(first), len(second))))
    return first[:common] == second[:common] and min(len(first), len(second)) >= common


@lru_cache(maxsize=8192)
def label_terms(label: str) -> tuple[str, ...]:
    """The stems of the terms that a label consists of."""
    return tuple(" ".join(map(stem, part.split())) for part in label.split(", "))


@lru_cache(maxsize=1024)
def terms_in(text: str) -> frozenset[str]:
    """The terms that a text contains, by stem."""
    return frozenset(_count(text, {}, {}))


@lru_cache(maxsize=1024)
def _beginnings(text: str) -> dict[str, list[str]]:
    """The stems of a text's words by their first characters."""
    found: dict[str, list[str]] = {}
    for term in terms_in(text):
        if " " not in term and len(term) >= FEWEST_ALIKE:
            found.setdefault(term[:FEWEST_ALIKE], []).append(term)
    return found


def _stretches(text: str) -> Iterator[tuple[list[str], bool]]:
    """Runs of words between stop words and punctuation marks, and whether each starts a clause."""
    for clause in CLAUSES.split(text[:READ]):
        run: list[str] = []
        begins = True
        for word in TOKEN.findall(clause):
            if len(word) > 1 and not word.isdigit() and word.lower().replace("’", "'") not in STOP_WORDS:
                run.append(word)
                continue
            if run:
                yield run, begins
            run, begins = [], False
        if run:
            yield run, begins


def _count(text: str, seen: dict[str, _Seen], stems: dict[str, str]) -> set[str]:
    found: set[str] = set()
    for run, begins in _stretches(text):
        for word in run:
            if word not in stems:
                stems[word] = stem(word)
        for start in range(len(run)):
            for end in range(start + 1, min(start + LONGEST, len(run)) + 1):
                term = " ".join([stems[word] for word in run[start:end]])
                one = seen.get(term)
                if one is None:
                    one = seen[term] = _Seen()
                one.places += 1
                one.whole += 1.0 if end - start == len(run) else ENDS if end == len(run) else 0.0
                one.forms[" ".join(run[start:end])] += 1 if begins and start == 0 else INSIDE
                found.add(term)
    for word in _quoted(text):
        term = f"“{word.lower()}”"
        one = seen.setdefault(term, _Seen())
        one.places += 1
        one.whole += 1.0
        one.forms[term if word != "I" else "“I”"] += 1
        found.add(term)
    return found


def _quoted(text: str) -> Iterator[str]:
    """Stop words in short quotations."""
    for quotation in QUOTED.findall(text[:READ]):
        words = WORD.findall(quotation)
        if len(words) <= MOST_QUOTED:
            yield from (word for word in words if word.lower().replace("’", "'") in STOP_WORDS)


def _longer(terms: Sequence[str], seen: dict[str, _Seen]) -> dict[str, int]:
    """For each word, the number of occurrences of its most frequent longer term."""
    out: dict[str, int] = {}
    for term in terms:
        words = term.split()
        if len(words) > 1:
            for word in words:
                out[word] = max(out.get(word, 0), seen[term].places)
    return out


def _form(forms: Counter[str]) -> str:
    """The most frequent spelling."""
    return max(forms, key=lambda form: (forms[form], form))
