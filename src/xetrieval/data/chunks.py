"""Long documents cut into chunks of whole sentences, with their spans in the original."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ..errors import InputError
from .corpus import ChunkPlace, Document
from .sentences import split_sentences

LONGEST_TITLE: Final = 120  # characters


class Chunking(NamedTuple):
    """The most characters of a chunk, and how many of them it shares with the previous one."""

    size: int
    overlap: int = 0

    def check(self) -> Chunking:
        """Return itself.

        Raises:
            InputError: no room for a step forward.
        """
        if self.size < 50 or not 0 <= self.overlap <= self.size // 2:
            raise InputError("chunks need 50 characters or more, and an overlap of at most half of that")
        return self


def cut_document(document: Document, chunking: Chunking) -> Iterator[Document]:
    """The chunks of a document, as documents ID#1, ID#2, ...; one that fits stays whole, under its own id.

    text[start:end] of the document's body is the content of a chunk; a title is put before each.
    """
    body = document.body
    base = document.chunk.start if document.chunk else 0  # some files have front matter before the body
    if len(body) <= chunking.size:
        yield document._replace(chunk=ChunkPlace(document.id, base, base + len(body)))
        return
    title = str(document.fields.get("title") or "").strip()
    for number, (start, end) in enumerate(places(body, chunking), 1):
        chunk = body[start:end]
        text = chunk if not title or begins_with(chunk, title) else f"{title}\n{chunk}"
        place = ChunkPlace(document.id, base + start, base + end)
        yield Document(f"{document.id}#{number}", text, chunk, document.thread, document.fields, place)


def begins_with(text: str, title: str) -> bool:
    """Whether the first line of a text is its title, as a heading or as it is."""
    first = text.lstrip().partition("\n")[0].strip("#= \t\r")
    return first == title or (len(title) >= LONGEST_TITLE and first.startswith(title))


def places(text: str, chunking: Chunking) -> list[tuple[int, int]]:
    """The span of each chunk. A sentence longer than a chunk is cut."""
    size, overlap = chunking.check()
    spans: list[tuple[int, int]] = []
    for sentence in split_sentences(text):
        spans += [(at, min(at + size, sentence.end)) for at in range(sentence.start, sentence.end, size)]
    out: list[tuple[int, int]] = []
    first = 0
    while first < len(spans):
        last = first
        while last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= size:
            last += 1
        out.append((spans[first][0], spans[last][1]))
        following = last + 1
        if following < len(spans):  # step back over whole sentences that fit in the overlap and leave room for the next
            end, after = spans[last][1], spans[following][1]
            while (
                following - 1 > first
                and end - spans[following - 1][0] <= overlap
                and after - spans[following - 1][0] <= size
            ):
                following -= 1
        first = following
    return out


def places_that_fit(text: str, fits: Callable[[str], bool]) -> list[tuple[int, int]]:
    """The spans of chunks that `fits` accepts, each of as many sentences as possible.

    A sentence that does not fit by itself is a chunk too.
    """
    sentences = split_sentences(text)
    out, first = [], 0
    while first < len(sentences):
        start = sentences[first].start
        low, step = first, 1  # the last sentence of the chunk: found by doubling, then by halving
        while low + step < len(sentences) and fits(text[start : sentences[low + step].end]):
            low, step = low + step, step * 2
        high = min(low + step, len(sentences))  # does not fit, or is past the end
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(text[start : sentences[middle].end]) else (low, middle)
        out.append((start, sentences[low].end))
        first = low + 1
    return out
