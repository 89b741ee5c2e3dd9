"""A sentence rewritten by a language model, and where the document ranks with it; its vector is always computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from ...data import split_sentences
from ...data.sentences import Sentence
from ...encoders import read_texts
from ...errors import InputError
from ...llm import Answer, ChatModel, Checked, ask, read_prompt
from ...llm.checks import REFUSAL, clean, other_script, words_of
from .edit import EditTask, LeftOut, TextEdits

Aim = Literal["up", "down"]
PROMPTS: Final = Path(__file__).resolve().parent / "prompts"
AIMS: Final = {
    "up": "more clearly how it answers the query, in the words of the query where they are true",
    "down": "what it says without what makes it match the query, if its facts allow that",
}
LONGER: Final = (3, 20)  # a rewritten sentence has at most 3 times the words, plus 20


def with_rewritten(task: EditTask, edits: TextEdits, model: ChatModel, aim: Aim = "up", retries: int = 1) -> TextEdits:
    """The edits with one sentence rewritten: the one that helps least (up), or the one that helps most (down).

    Raises:
        InputError: the query is a vector.
        EndpointError: the model does not answer. BudgetSpent: asking could cost too much.
    """
    if not edits.query:
        raise InputError("a sentence can be rewritten only for a query of words, not for a vector")
    stored = task.stored.text
    tried = [one for one in edits.sentences if one.text != edits.title]  # a title stays
    chosen = tried[-1 if aim == "up" else 0] if tried else split_sentences(stored)[-1]
    checked = ask(
        model,
        read_prompt("rewrite", PROMPTS),
        lambda answer: _check(answer, chosen),
        retries,
        query=edits.query,
        document=stored,
        sentence=chosen.text,
        aim=AIMS[aim],
        missing=", ".join(edits.missing_words) or "none",
    )
    if checked.value is None:
        return replace(edits, notes=(*edits.notes, f"no sentence was rewritten: the model's answer: {checked.fault}"))
    text = stored[: chosen.start] + checked.value + stored[chosen.end :]
    z = read_texts(task.index.explainer.encoder, [text], "document").vectors[0]
    before = task.index.vectors(np.array([task.row]))[0]
    made = replace(task.new_text(text, before, z, f"llm:{model.name}"), sentence=chosen.text, rewritten=checked.value)
    return replace(edits, changed=made, encoded=edits.encoded + 1)


def _check(answer: Answer, sentence: LeftOut | Sentence) -> Checked[str]:
    """The sentence on one line, or why it cannot be used."""
    text = " ".join(clean(answer.text).split())
    times, more = LONGER
    if not text:
        return Checked(None, "it was empty")
    if answer.filtered or answer.finish == "length":
        return Checked(None, "it was cut off")
    if REFUSAL.match(text):
        return Checked(None, "it was a refusal")
    if text == " ".join(sentence.text.split()):
        return Checked(None, "it was the same sentence")
    if (count := len(words_of(text))) > times * len(words_of(sentence.text)) + more:
        return Checked(None, f"it had {count} words; write one sentence")
    differs = other_script(text, sentence.text)
    return Checked(None, f"it was not in the sentence's language ({differs})") if differs else Checked(text)
