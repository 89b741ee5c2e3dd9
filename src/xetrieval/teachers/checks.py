"""Checks whether a teacher's text is usable. A model that is asked again reads the fault; see `llm.checks`."""

from __future__ import annotations

import re
from typing import Any, Final

from ..files import parse_json
from ..llm import Answer, Prompt
from ..llm.checks import REFUSAL, Checked, clean, function_words, other_script, words_of
from .prompt import PAIRS, TEXT

COPIED_WORDS: Final = 8  # this many consecutive words do not agree by chance
MOST_COPIED: Final = 0.5  # at most this fraction of the answer's words may be copied
LEAST_WORDS: Final = 5
QUESTION: Final = r"^[ \t]*(?:\d+[.)][ \t]*)?\**Q(?:uestion)?[ \t]*\d*\**[:.)][ \t]*\**"
REPLY: Final = r"^[ \t]*\**A(?:nswer)?[ \t]*\d*\**[:.)][ \t]*\**"
PAIR: Final = re.compile(
    rf"{QUESTION}(?P<q>.+?)\**[ \t]*\n+{REPLY}(?P<a>.+?)(?={QUESTION}|\Z)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
INLINE: Final = re.compile(r"(?:^|\s)Q:\s*(?P<q>.+?)\s+A:\s*(?P<a>.+?)(?=\s+Q:|\Z)", re.DOTALL)


def check(answer: Answer, document: str, prompt: Prompt) -> Checked[str]:
    """The cleaned text of an answer, or its fault. A faulty text is never replaced with something else."""
    text = clean(answer.text)
    if answer.filtered:
        return Checked(None, "the server's content filter cut it off")
    if not text:
        return Checked(None, "it was empty")
    if REFUSAL.match(text):
        return Checked(None, "it was a refusal")
    if prompt.fields.get("answer", TEXT) == PAIRS:
        pairs, most = read_pairs(text), prompt.number("max_pairs", 20)
        if not pairs:
            return Checked(None, "it held no question-answer pairs in the form that was asked for")
        if len(pairs) > most:
            return Checked(None, f"it held {len(pairs)} pairs, at most {most} were asked for")
        text = "\n".join(f"Q: {question}\nA: {reply}" for question, reply in pairs)
    elif answer.finish == "length":
        return Checked(None, "it was too long and cut off")
    fault = _fault(text, document, prompt.number("max_words", 120))
    return Checked(None, fault) if fault else Checked(text)


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Question-answer pairs from JSON or from Q: and A: lines, without repeated questions."""
    start, end = text.find("{"), text.rfind("}")
    pairs: list[tuple[str, str]] = []
    if 0 <= start < end:
        try:
            found: Any = parse_json(text[start : end + 1])
            records = found.get("pairs", [])
            pairs = [(str(record["question"]), str(record["answer"])) for record in records]
        except (ValueError, TypeError, KeyError, AttributeError):
            pairs = []
    for form in (PAIR, INLINE):
        pairs = pairs or [(match["q"], match["a"]) for match in form.finditer(text)]
    distinct: dict[str, tuple[str, str]] = {}
    for question, reply in ((" ".join(q.split()), " ".join(a.split())) for q, a in pairs):
        if question and reply:
            distinct.setdefault(question.casefold(), (question, reply))
    return list(distinct.values())


def copied_fraction(words: list[str], source: list[str]) -> float:
    """The fraction of `words` in runs of at least COPIED_WORDS that also occur in the source.

    If the source is shorter than such a run, a copy of the whole source counts.
    """
    run = min(COPIED_WORDS, len(source), len(words))
    if run < 3:
        return 0.0
    known = {tuple(source[i : i + run]) for i in range(len(source) - run + 1)}
    copied: set[int] = set()
    for i in range(len(words) - run + 1):
        if tuple(words[i : i + run]) in known:
            copied.update(range(i, i + run))
    return len(copied) / len(words)


def _fault(text: str, document: str, max_words: int) -> str | None:
    words, source = words_of(text), words_of(document)
    if len(words) > max_words:
        return f"it had {len(words)} words, at most {max_words} were asked for"
    if len(words) < LEAST_WORDS and len(text) < 4 * LEAST_WORDS:
        return "it was too short"
    if copied_fraction(words, source) > MOST_COPIED:
        return "it was copied from the document; use other words"
    language, expected = _language(words), _language(source)
    differs = other_script(text, document)
    if differs is None and language and expected and language != expected:
        differs = f"{language} instead of {expected}"
    return f"it was not in the document's language ({differs})" if differs else None


def _language(words: list[str]) -> str | None:
    """The language whose function words dominate, if any."""
    if len(words) < 12:
        return None
    (language, first), (_, second) = function_words(words).most_common(2)
    return language if first > 0.12 * len(words) and first > 2 * second else None
