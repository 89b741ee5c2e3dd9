"""Teacher texts that exist already: written ones in a file, a document's own field, questions and their answers.

texts.jsonl[.gz]   {"_id", "summary", "purpose", "qa"}: one target per aspect and document
pairs.tsv[.gz]     question-id, answer-id, ...: the answer's QA target is its question
field:NAME         the field is the document's SUMMARY target, e.g. field:title
field:NAME=ASPECT  the same for another aspect
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..data import BadLine, Document, read_json_lines
from ..data.lines import read_tab_lines
from ..errors import InputError
from ..views import ASPECTS, Aspect


class TeacherPair(NamedTuple):
    """One lesson: the view of `source` in this aspect should be the embedding of `target`."""

    aspect: Aspect
    source: str
    target: str
    thread: str


def read_teacher(source: str, documents: Sequence[Document]) -> list[TeacherPair]:
    """The lessons of one teacher on a corpus.

    Raises:
        InputError: no such file, a bad line, an unknown aspect, or nothing in it that belongs to the corpus.
    """
    if source.startswith("field:"):
        lessons = list(_from_field(source.removeprefix("field:"), documents))
        reason = "no document has that field beside its text"
    else:
        path = Path(source)
        if not path.is_file():
            raise InputError(f"teacher {source}: no such file; give texts.jsonl, a pairs .tsv, or field:NAME")
        known = {document.id: document for document in documents}
        tabular = path.name.removesuffix(".gz").endswith(".tsv")
        lessons = list((_from_pairs if tabular else _from_texts)(path, known))
        reason = "none of its ids is in the corpus"
    if not lessons:
        raise InputError(f"teacher {source}: {reason}")
    return lessons


def _from_texts(path: Path, known: Mapping[str, Document]) -> Iterator[TeacherPair]:
    for line in read_json_lines(path):
        if isinstance(line, BadLine):
            raise line.error()
        document = known.get(str(line.record.get("_id")))
        if document is None:
            continue
        for aspect in ASPECTS:
            target = line.text(aspect, required=False)
            if isinstance(target, BadLine):
                raise target.error()
            if target.strip():
                yield TeacherPair(aspect, document.text, target.strip(), document.thread)


def _from_pairs(path: Path, known: Mapping[str, Document]) -> Iterator[TeacherPair]:
    for _, (question_id, answer_id, *_) in read_tab_lines(path, 2):
        question, answer = known.get(question_id), known.get(answer_id)
        if question is not None and answer is not None:
            yield TeacherPair("qa", answer.text, question.text, question.thread)


def _from_field(name: str, documents: Sequence[Document]) -> Iterator[TeacherPair]:
    name, _, chosen = name.partition("=")
    aspect = next((aspect for aspect in ASPECTS if aspect == (chosen or "summary")), None)
    if aspect is None:
        raise InputError(f"teacher field:{name}={chosen}: the aspects are {', '.join(ASPECTS)}")
    for document in documents:
        value = document.fields.get(name)
        # The field must not be read from the source itself: a title is learned from the body alone.
        if isinstance(value, str) and value.strip() and document.body and value.strip() != document.body:
            yield TeacherPair(aspect, document.body, value.strip(), document.thread)
