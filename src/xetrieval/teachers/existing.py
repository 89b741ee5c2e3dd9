"""Existing teacher texts: written ones, a field of the document, questions with answers, queries with clicks.

texts.jsonl[.gz]   {"_id", "summary", "purpose", "qa"}, all but the id optional: one target per aspect and document;
                   a file from `xetrieval teach` names its aspects itself
pairs.tsv[.gz]     question id, answer id: the answer's target is its question; a file with more columns needs a header
                   line that begins with question-id, answer-id
clicks.jsonl[.gz]  {"query", "doc_id", "clicks"}: the document's target is the query, weighted by log2(1 + clicks)
field:NAME         the field is the document's target, e.g. field:title

SOURCE=ASPECT names the view to learn (default: summary for a field, qa for pairs and clicks); for texts it also names
the field to read. SOURCE@WEIGHT weights the lessons relative to those of other teachers, e.g. pairs.tsv@0.5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..data import BadLine, Document, Skipped, read_json_lines, usable
from ..data.judgments import check_order, click_of
from ..data.lines import Line, each, read_tab_lines
from ..errors import InputError
from ..files import path_of
from ..views import ASPECTS, View, check_aspect, in_order

HEADER: Final = ["question-id", "answer-id"]  # first columns of a pairs file; others are ignored
LARGEST_WEIGHT: Final = 1e6
SPEC: Final = re.compile(r"(?P<source>.+?)(?:=(?P<aspect>[^=@/\\]*))?(?:@(?P<weight>[^@=/\\]*))?")


class TeacherPair(NamedTuple):
    """One lesson: the view of `source` in this aspect should be the embedding of `target`."""

    aspect: View
    source: str
    target: str
    thread: str
    weight: float = 1.0


class TeacherSpec(NamedTuple):
    """SOURCE[=ASPECT][@WEIGHT]."""

    source: str
    aspect: View | None
    weight: float


def read_spec(text: str) -> TeacherSpec:
    """Parse SOURCE[=ASPECT][@WEIGHT]. If a file has exactly this name, even with = or @, it is the source.

    Raises:
        InputError: an invalid name for a view, or a weight that is not positive.
    """
    match = None if path_of(text).is_file() else SPEC.fullmatch(text)
    if match is None:
        return TeacherSpec(text, None, 1.0)
    source, aspect, weight = match["source"], match["aspect"], match["weight"]
    try:
        value = 1.0 if weight is None else float(weight)
    except ValueError:
        value = math.nan
    if not 0 < value <= LARGEST_WEIGHT:
        raise InputError(f"teacher {text}: the weight {weight!r} is not a number above 0, up to {LARGEST_WEIGHT:g}")
    return TeacherSpec(source, None if aspect is None else check_aspect(aspect, f"teacher {text}"), value)


def read_teacher(spec: str, documents: Sequence[Document], skipped: Skipped | None = None) -> list[TeacherPair]:
    """The lessons of one teacher on a corpus.

    Raises:
        InputError: no such file, a bad line, an invalid name for a view, texts about a different version of a document,
        or nothing that belongs to the corpus.
    """
    source, aspect, weight = read_spec(spec)
    if source.startswith("field:"):
        lessons = list(_from_field(source.removeprefix("field:"), aspect or "summary", documents))
        reason = "no document has a text in that field besides its own text"
    else:
        path = path_of(source)
        if not path.is_file():
            raise InputError(
                f"teacher {source}: no such file; give texts.jsonl, clicks.jsonl, a pairs .tsv, or field:NAME"
            )
        known = {document.id: document for document in documents}
        if path.name.removesuffix(".gz").endswith(".tsv"):
            lessons = list(_from_pairs(path, aspect or "qa", known))
        else:
            lessons = [lesson for found in usable(_from_lines(path, aspect, known), skipped) for lesson in found]
        reason = "it has nothing to learn for ids in the corpus; was it made from a different corpus?"
    if not lessons:
        raise InputError(f"teacher {source}: {reason}")
    return [lesson._replace(weight=lesson.weight * weight) for lesson in lessons]


def _from_lines(
    path: Path, aspect: View | None, known: Mapping[str, Document]
) -> Iterator[list[TeacherPair] | BadLine]:
    """The lessons of each line."""
    written: dict[tuple[str, View], str] = {}  # document id and aspect -> text

    def read(line: Line) -> list[TeacherPair]:
        if "_id" not in line.record and {"query", "doc_id"} & set(line.record):
            return _clicked(line, known, aspect or "qa")
        given = line.record.get("_id", line.record.get("id"))
        reason = "neither a document's '_id' with texts, nor 'query' and 'doc_id' of a click"
        identifier = line.identifier(None if given == "" else given, reason)
        document = known.get(identifier)
        lessons = [] if document is None else _texts(line, document, aspect)
        new = [lesson for lesson in lessons if (identifier, lesson.aspect) not in written]
        written.update({(identifier, lesson.aspect): lesson.target for lesson in new})
        for lesson in lessons:
            if written[identifier, lesson.aspect] != lesson.target:
                raise InputError(
                    f"{path}, line {line.number}: document {identifier[:60]!r} has a different {lesson.aspect} in an "
                    "earlier line; keep one of the two"
                )
        return new

    return each(read_json_lines(path, nan="null"), read)


def _texts(line: Line, document: Document, wanted: View | None) -> list[TeacherPair]:
    written_of = line.record.get("text_sha256")
    if written_of is not None and written_of != text_sha256(document.text):
        raise InputError(
            f"{line.path}, line {line.number}: the text was written about a different version of document "
            f"{document.id!r}; write the texts again, or give the corpus they were made from"
        )
    prompts = line.record.get("prompts")
    names = in_order([wanted] if wanted else prompts if isinstance(prompts, dict) else ASPECTS)
    place = f"{line.path}, line {line.number}"
    texts = {name: line.text(check_aspect(name, place), required=False).strip() for name in names}
    return [TeacherPair(name, document.text, text, document.thread) for name, text in texts.items() if text]


def _clicked(line: Line, known: Mapping[str, Document], aspect: View) -> list[TeacherPair]:
    query, identifier, clicks = click_of(line)
    document = known.get(identifier)
    if document is None or not clicks:
        return []
    return [TeacherPair(aspect, document.text, query, document.thread, math.log2(1 + clicks))]


def _from_pairs(path: Path, aspect: View, known: Mapping[str, Document]) -> Iterator[TeacherPair]:
    pairs: dict[tuple[str, str], None] = {}  # without duplicates
    named = False
    for number, columns in read_tab_lines(path, 2):
        if not pairs and not any(name in known or re.search(r"\d", name) for name in columns[:2]):  # perhaps a header
            check_order(path, number, *columns[:2])
        named = named or (not pairs and columns[:2] == HEADER)
        if len(columns) > 2 and not any(columns[2:]):
            raise InputError(f"{path}, line {number}: the line ends with a tab; remove it")
        if len(columns) > 2 and not named:  # ignoring the grades would teach wrong answers
            raise InputError(
                f"{path}, line {number}: {len(columns)} columns, but no header line {' '.join(HEADER)}; judgments with "
                "grades are not pairs: give two columns, a question's id and its answer's"
            )
        pairs[columns[0], columns[1]] = None
    for question_id, answer_id in pairs:
        question, answer = known.get(question_id), known.get(answer_id)
        if question is not None and answer is not None:
            yield TeacherPair(aspect, answer.text, question.text, question.thread)


def _from_field(name: str, aspect: View, documents: Sequence[Document]) -> Iterator[TeacherPair]:
    for document in documents:
        value: Any = document.fields.get(name) if name == "title" else document.fields.get("metadata", {}).get(name)
        # The source must not contain its target: titles are predicted from the body alone.
        if isinstance(value, str) and value.strip() and document.body and value.strip() != document.body:
            yield TeacherPair(aspect, document.body, value.strip(), document.thread)


def text_sha256(text: str) -> str:
    """The hash that ties a teacher's text to the document it was written about."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
