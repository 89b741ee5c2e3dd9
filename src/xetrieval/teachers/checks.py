"""Is an answer of use? Each fault has a name, which is told to the model when it is asked again."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Final, NamedTuple

from ..files import parse_json
from ..llm import Answer
from .prompt import Prompt

COPIED_WORDS: Final = 8  # so many words in a row are a copy and no chance
MOST_COPIED: Final = 0.5  # of the answer's words
LEAST_WORDS: Final = 5
REFUSAL: Final = re.compile(
    r"^\W*(i'?m sorry|sorry,|i am sorry|i apologi[sz]e|i can(no|')t |i am (not able|unable)|i'?m (not able|unable)"
    r"|as an? (ai|language model|large language)|unfortunately, i )",
    re.IGNORECASE,
)
PREAMBLE: Final = re.compile(
    r"^(sure|certainly|of course|here(?: is|'s| are))\b[^\n]{0,100}[:!]\s*\n*|^(summary|purpose)\s*:\s*", re.IGNORECASE
)
QUESTION: Final = r"^[ \t]*(?:\d+[.)][ \t]*)?\**Q(?:uestion)?[ \t]*\d*\**[:.)][ \t]*\**"
REPLY: Final = r"^[ \t]*\**A(?:nswer)?[ \t]*\d*\**[:.)][ \t]*\**"
PAIR: Final = re.compile(
    rf"{QUESTION}(?P<q>.+?)\**[ \t]*\n+{REPLY}(?P<a>.+?)(?={QUESTION}|\Z)",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
INLINE: Final = re.compile(r"(?:^|\s)Q:\s*(?P<q>.+?)\s+A:\s*(?P<a>.+?)(?=\s+Q:|\Z)", re.DOTALL)
# Words that hold a language's sentences together. Enough to tell these apart, and silent about all others.
FUNCTION_WORDS: Final = {
    "English": "the of and to in is that for it with are this be from which on as by",
    "German": "der die und das ist nicht mit den ein eine für auf werden wird sich auch dem von",
    "French": "le la les des et est une dans pour que qui sur avec pas du au ce sont",
    "Spanish": "el los las una que para con por del como más está son pero al lo se",
    "Italian": "il che di una per con non sono della gli nel alla più come dei questo è si",
    "Portuguese": "os uma para com não que do da dos das em mais como por são ao foi pelo",
    "Dutch": "het een van en dat niet zijn voor met op aan ook wordt deze bij naar door worden",
}
WORDS_OF: Final = {language: frozenset(words.split()) for language, words in FUNCTION_WORDS.items()}


class Checked(NamedTuple):
    """The text that may be embedded, or why there is none."""

    text: str
    fault: str | None  # None: it is of use


def check(answer: Answer, document: str, prompt: Prompt) -> Checked:
    """Clean an answer and judge it. Nothing is ever put in the place of a faulty one."""
    text = clean(answer.text)
    if not text:
        return Checked("", "it was empty")
    if REFUSAL.match(text):
        return Checked(text, "it was a refusal")
    if prompt.kind == "pairs":
        pairs = read_pairs(text)
        if not pairs:
            return Checked(text, "it held no question-answer pairs in the form that was asked for")
        if len(pairs) > prompt.max_pairs:
            return Checked(text, f"it held {len(pairs)} pairs, at most {prompt.max_pairs} were asked for")
        text = "\n".join(f"Q: {question}\nA: {reply}" for question, reply in pairs)
    elif answer.finish == "length":
        return Checked(text, "it was too long and cut off")
    return Checked(text, _fault(text, document, prompt))


def clean(text: str) -> str:
    """Without control and direction-changing characters, a preamble ("Here is the summary:"), quotes around it all."""
    kept = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    kept = re.sub(r"<think>.*?</think>", "", kept, flags=re.DOTALL).strip()
    kept = PREAMBLE.sub("", kept, count=1).strip()
    return kept[1:-1].strip() if len(kept) > 1 and kept[0] == kept[-1] == '"' and '"' not in kept[1:-1] else kept


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Question-answer pairs from JSON or from Q: and A: lines, repeated questions left out; [] where there are none."""
    start, end = text.find("{"), text.rfind("}")
    found: list[tuple[str, str]] = []
    if 0 <= start < end:
        try:
            listed = parse_json(text[start : end + 1]).get("pairs", [])
            found = [(str(pair["question"]), str(pair["answer"])) for pair in listed]
        except (ValueError, TypeError, KeyError, AttributeError):
            found = []
    for form in (PAIR, INLINE):
        found = found or [(match["q"], match["a"]) for match in form.finditer(text)]
    distinct: dict[str, tuple[str, str]] = {}
    for question, reply in ((" ".join(q.split()), " ".join(a.split())) for q, a in found):
        if question and reply:
            distinct.setdefault(question.casefold(), (question, reply))
    return list(distinct.values())


def _fault(text: str, document: str, prompt: Prompt) -> str | None:
    words, source = words_of(text), words_of(document)
    if len(words) > prompt.max_words:
        return f"it had {len(words)} words, at most {prompt.max_words} were asked for"
    if len(words) < LEAST_WORDS and len(text) < 4 * LEAST_WORDS:
        return "it was too short"
    if copied_share(words, source) > MOST_COPIED:
        return "it was copied from the document; use other words"
    if other := _other_language(text, words, document, source):
        return f"it was not in the document's language ({other})"
    return None


def copied_share(words: list[str], source: list[str]) -> float:
    """The share of `words` that stand in runs of COPIED_WORDS or more which the source has too.

    A document shorter than such a run is compared whole.
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


def _other_language(text: str, words: list[str], document: str, source: list[str]) -> str | None:
    script, own = script_of(text), script_of(document)
    if script and own and script != own:
        return f"{script.title()} letters instead of {own.title()}"
    language, theirs = _language(words), _language(source)
    return f"{language} instead of {theirs}" if language and theirs and language != theirs else None


def script_of(text: str) -> str | None:
    """The script of nearly all letters, by their Unicode names."""
    counts = Counter(unicodedata.name(letter, "?").split()[0] for letter in text[:2000] if letter.isalpha())
    if counts.total() < 10:
        return None
    script, count = counts.most_common(1)[0]
    return script if count > 0.8 * counts.total() else None


def _language(words: list[str]) -> str | None:
    """The language whose function words stand out, or None."""
    if len(words) < 12:
        return None
    counts = {language: sum(word in known for word in words) for language, known in WORDS_OF.items()}
    first, second = sorted(counts, key=lambda language: -counts[language])[:2]
    return first if counts[first] > 0.12 * len(words) and counts[first] > 2 * counts[second] else None


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
