"""Cuts documents longer than an encoder reads into chunks that it reads completely, with their spans in the source.

A chunk ends before a heading if there is one in its second half, else after a paragraph, a line, a sentence, or (within
a sentence that is too long) a word. Code in Markdown fences is cut at its blank lines, if at all.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate, islice
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .corpus import ChunkPlace, Document
from .sentences import LINE_BREAK, split_sentences

LONGEST_TITLE: Final = 120  # characters of a page's title, and of any title longer than LONGEST_LEAD before each chunk
LONGEST_LEAD: Final = 400  # characters of a title that is put before chunks; a longer one is shortened like a page's
CHARACTERS_PER_TOKEN: Final = 3  # used without a tokenizer; few English texts have fewer
FILE_TOKENS: Final = 256  # length of the chunks of a file that is read without an encoder
FULL: Final = 0.5  # a chunk that ends early, at a better place, is at least this full
LEAST_ROOM: Final = 8  # tokens in addition to the title
LONGEST_LINE: Final = 1000  # characters of a line that may be a heading
DOCUMENTS: Final = 64  # documents measured at once
BLOCK: Final = 50_000  # characters tokenised at once
HEADING: Final = re.compile(r" {0,3}(?P<level>#{1,6})[ \t]+(?P<text>.*?)(?:[ \t]+#+)?[ \t]*")
FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
AT_HEADING, AT_PARAGRAPH, AT_LINE, AT_SENTENCE, AT_WORD = range(5)  # where a chunk may begin, best first

Span = tuple[int, int]


class Ruler(Protocol):
    """Measures texts in the tokens of an encoder."""

    @property
    def room(self) -> int:
        """The largest number of tokens in a document."""

    @property
    def limit(self) -> str:
        """That limit in words."""

    def starts(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Where the tokens of each text begin, ascending."""


class CharacterRuler(NamedTuple):
    """A ruler without a tokenizer: three characters count as a token."""

    room: int = FILE_TOKENS

    @property
    def limit(self) -> str:
        """How many characters a document may have, and why it is not counted in tokens."""
        characters = self.room * CHARACTERS_PER_TOKEN
        return f"{characters:,} characters (about {self.room} tokens; this encoder does not show its tokens)"

    def starts(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Every third character."""
        return [np.arange(0, len(text), CHARACTERS_PER_TOKEN) for text in texts]


class Cutter:
    """Cuts the documents of a corpus.

    It remembers where it cut, so a corpus that is read again in the same order is not tokenised again. A copy in
    another process has no ruler and repeats the original's cuts.
    """

    def __init__(self, ruler: Ruler, overlap: int = 0) -> None:
        self.ruler: Ruler | None = ruler
        self.overlap = overlap
        self._texts, self._counts = array("Q"), array("I")  # of each document: hash of its text, number of chunks
        self._ends = array("I")  # start and end of each chunk

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "ruler": None}

    def cut(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The chunks of documents, as documents ID#1, ID#2, ...; a document that fits is not cut and keeps its id.

        text[start:end] of the document's body is the content of a chunk; the title is put before each.
        """
        given, number, at = iter(documents), 0, 0
        while block := list(islice(given, DOCUMENTS)):
            keys = [_hash(document.text) for document in block]
            counts = self._counts[number : number + len(block)]
            if self._texts[number : number + len(block)].tolist() != keys:
                found = self._measured(block)
                if number == len(self._texts):
                    self._texts.extend(keys)
                    self._counts.extend(map(len, found))
                    self._ends.extend(end for spans in found for span in spans for end in span)
            else:
                after = [at + 2 * total for total in accumulate(counts)]
                places = zip([at, *after], after, strict=False)
                found = [list(zip(self._ends[a:b:2], self._ends[a + 1 : b : 2], strict=True)) for a, b in places]
            number, at = number + len(block), at + 2 * sum(counts)
            for document, spans in zip(block, found, strict=True):
                yield from _chunks(document, spans)

    @property
    def summary(self) -> str:
        """How many documents were cut, into how many chunks, and why; empty if none."""
        several = [count for count in self._counts if count]
        if not several or self.ruler is None:
            return ""
        were = "documents were" if len(several) > 1 else "document was"
        return f"{len(several):,} {were} longer than {self.ruler.limit}: cut into {sum(several):,} chunks"

    def _measured(self, documents: list[Document]) -> list[list[Span]]:
        if self.ruler is None:
            raise InputError(f"document {documents[0].id[:100]!r}: the corpus changed during the build; run again")
        found: list[list[Span]] = [[] for _ in documents]
        # no token is less than a byte
        long = [i for i, one in enumerate(documents) if len(one.text.encode("utf-8", "replace")) > self.ruler.room]
        starts = _starts(self.ruler, [documents[i].text for i in long])
        for i, tokens in zip(long, starts, strict=True):
            if len(tokens) > self.ruler.room:
                text, body = documents[i].text, documents[i].body
                before = len(text) - len(body)  # the title
                spans = chunk_spans(
                    body, tokens[tokens >= before] - before, self.ruler, self.overlap, _title(documents[i])
                )
                found[i] = spans if len(spans) > 1 else []
        return found


def cut_document(document: Document, ruler: Ruler, overlap: int = 0) -> Iterator[Document]:
    """The chunks of one document; see `Cutter`."""
    return Cutter(ruler, overlap).cut([document])


def _chunks(document: Document, spans: list[Span]) -> Iterator[Document]:
    if not spans:
        yield document
        return
    base = document.chunk.start if document.chunk else 0  # front matter may precede the body
    title = _title(document)
    for number, (start, end) in enumerate(spans, 1):
        body = document.body[start:end]
        text = body if not title or begins_with(body, title) else f"{title}\n{body}"
        place = ChunkPlace(document.id, base + start, base + end)
        yield Document(f"{document.id}#{number}", text, body, document.thread, document.fields, place)


def _title(document: Document) -> str:
    title = str(document.fields.get("title") or "").strip()
    return title if len(title) <= LONGEST_LEAD else title[:LONGEST_TITLE]


def begins_with(text: str, title: str) -> bool:
    """Whether the first line of a text is its title, as a heading or as plain text."""
    first = text.lstrip().partition("\n")[0].strip("#= \t\r")
    return first == title or (len(title) >= LONGEST_TITLE and first.startswith(title))


def text_chunks(text: str, ruler: Ruler) -> list[Span]:
    """The spans of the chunks of a text without a title; a single span if it fits."""
    (starts,) = _starts(ruler, [text])
    return [(0, len(text))] if len(starts) <= ruler.room else chunk_spans(text, starts, ruler)


def chunk_spans(text: str, starts: NDArray[np.int64], ruler: Ruler, overlap: int = 0, title: str = "") -> list[Span]:
    """The spans of the chunks of a text whose tokens begin at `starts`, each with room for the title before it."""
    lead = f"{title}\n" if title else ""
    room = max(LEAST_ROOM, ruler.room - len(ruler.starts([lead])[0]))
    while True:
        found = _greedy(_units(text, starts, room), starts, room, overlap)
        lengths = map(len, ruler.starts([lead + text[start:end] for start, end in found]))
        over = max(lengths, default=0) - ruler.room
        if over <= 0 or room == LEAST_ROOM:
            return found
        room = max(LEAST_ROOM, room - over)  # a tokenizer may cut the same words differently in another text


def is_heading(line: str) -> bool:
    """Whether a line is a heading of Markdown."""
    return line.startswith("#") and len(line) <= LONGEST_LINE and HEADING.fullmatch(line) is not None


class _Unit(NamedTuple):
    """A sentence, a line, or a part of one that is too long."""

    start: int
    end: int
    level: int  # how good its start is as the start of a chunk: AT_HEADING ... AT_WORD


def _units(text: str, starts: NDArray[np.int64], room: int) -> list[_Unit]:
    out: list[_Unit] = []
    before, fence, after_heading = 0, "", False
    for start, end, sentence in split_sentences(text):
        breaks = 2 if not out else len(LINE_BREAK.findall(text[before:start]))
        level = AT_SENTENCE - min(breaks, 2)
        if breaks == 1 and sentence[0].islower():  # the sentence continues
            level = AT_WORD
        mark = FENCE.match(sentence) if breaks else None
        heading = bool(breaks) and not fence and is_heading(sentence)
        if fence:  # a fence is kept whole if possible; its last line never begins a chunk
            closing = mark is not None and sentence.startswith(fence) and not sentence.strip(fence[0])
            level, fence = (AT_WORD, "") if closing else (min(level + 1, AT_WORD), fence)
        elif mark:
            level, fence = AT_PARAGRAPH, mark[1]
        elif heading:
            level = AT_HEADING
        if after_heading and not heading:  # a heading never ends a chunk
            level = AT_WORD
        before, after_heading = end, heading
        parts = _parts(text, start, end, starts, room)
        out += [_Unit(*part, AT_WORD if place else level) for place, part in enumerate(parts)]
    return out


def _parts(text: str, start: int, end: int, starts: NDArray[np.int64], room: int) -> Iterator[Span]:
    """A span, cut before words (or within a word that is too long) where it has more tokens than fit."""
    while True:
        first, after = np.searchsorted(starts, (start, end)).tolist()
        if after - first <= room:
            yield start, end
            return
        places = [int(at) for at in starts[first + room : first + room // 2 : -1]]
        cut = next((at for at in places if text[at - 1].isspace()), places[0])
        yield start, start + len(text[start:cut].rstrip())
        start = cut


def _greedy(units: list[_Unit], starts: NDArray[np.int64], room: int, overlap: int) -> list[Span]:
    """Join units into chunks, each as long as fits unless there is a better place to end in its second half."""
    firsts = np.searchsorted(starts, [unit.start for unit in units]).tolist()
    lasts = np.searchsorted(starts, [unit.end for unit in units]).tolist()
    out: list[Span] = []
    first = new = 0  # the first unit of the chunk, and the first that is not in the previous chunk
    while new < len(units):
        following = max(new + 1, bisect_right(lasts, firsts[first] + room))
        if following < len(units):
            least = max(new + 1, bisect_left(lasts, firsts[first] + int(FULL * room)) + 1)
            following = min(range(min(least, following), following + 1), key=lambda place: (units[place].level, -place))
        out.append((units[first].start, units[following - 1].end))
        first, new = max(first + 1, following - overlap), following
        while new < len(units) and first < new and lasts[new] - firsts[first] > room:
            first += 1  # overlap less, to leave room for new text
    return out


def _starts(ruler: Ruler, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """Where the tokens of texts of any length begin; very long ones are given to the tokenizer in parts."""
    if not texts:
        return []
    parts = [list(_blocks(text)) for text in texts]
    found = iter(
        ruler.starts([text[start:end] for text, spans in zip(texts, parts, strict=True) for start, end in spans])
    )
    return [np.concatenate([next(found) + start for start, _ in spans]) for spans in parts]


def _blocks(text: str) -> Iterator[Span]:
    start = 0
    while start + BLOCK < len(text):
        space = max(text.rfind(" ", start + 1, start + BLOCK), text.rfind("\n", start + 1, start + BLOCK))
        end = space if space > 0 else start + BLOCK
        yield start, end
        start = end
    yield start, len(text)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
