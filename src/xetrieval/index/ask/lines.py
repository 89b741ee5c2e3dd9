"""Lines that most documents of an index contain: footers, banners and menus, which make documents similar to each
other.

Documents are counted, not the chunks they were cut into. Candidate lines come from a seeded sample of the documents;
those that are common in it are counted in all documents.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ..store.reader import IndexReader as Index

FRACTION: Final = 0.5  # a line in more than this fraction of the documents is reported
FRACTION_OF_SAMPLE: Final = 0.4  # a line in this fraction of the sample is counted in all documents
FEWEST_DOCUMENTS: Final = 5  # smaller indexes are not checked: any line would be in most documents
FEWEST_LETTERS: Final = 3  # a line with fewer, such as } or ---, is not text
LONGEST: Final = 500  # characters: a longer line is a paragraph
MOST: Final = 50  # lines in the report
BLOCK: Final = 4096  # rows read at once
SAMPLED: Final = 8  # blocks of the sample
QUERY: Final = "SELECT row, id, title, text, parent, start, end FROM documents WHERE row >= ? AND row < ? ORDER BY row"


class CommonLine(NamedTuple):
    """A line, with its white space normalised, and how many documents have it."""

    line: str
    documents: int
    fraction: float  # fraction of all documents


class _Whole(NamedTuple):
    """A document, or the consecutive chunks of one."""

    id: str
    cut: bool
    lines: frozenset[str]


def common_lines(index: Index, seed: int = 0) -> tuple[CommonLine, ...]:
    """Lines in more than half of the documents, most common first."""
    blocks = [(place, start) for place, shard in enumerate(index.shards) for start in range(0, shard.rows, BLOCK)]
    if len(blocks) <= SAMPLED:
        return _counted(index, blocks, None)
    chosen = np.sort(np.random.default_rng(seed).choice(len(blocks), SAMPLED, replace=False))
    sampled = [whole.lines for whole in _wholes(index, [blocks[place] for place in chosen.tolist()])]
    counts = Counter(line for lines in sampled for line in lines)
    wanted = frozenset(line for line, count in counts.items() if count >= FRACTION_OF_SAMPLE * len(sampled))
    return _counted(index, blocks, wanted) if wanted else ()


def _counted(index: Index, blocks: list[tuple[int, int]], wanted: frozenset[str] | None) -> tuple[CommonLine, ...]:
    """Lines in more than half of all documents; only those in `wanted`, if that is given."""
    counts: Counter[str] = Counter()
    of_pieces: dict[str, array[int]] = {}
    chunks, documents = array("Q"), 0
    for whole in _wholes(index, blocks):
        lines = whole.lines if wanted is None else whole.lines & wanted
        if not whole.cut:
            documents += 1
            counts.update(lines)
            continue
        key = int.from_bytes(blake2b(whole.id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        chunks.append(key)
        for line in lines:  # a document counts once, even if its chunks are not consecutive
            of_pieces.setdefault(line, array("Q")).append(key)
    documents += len(np.unique(np.frombuffer(chunks, np.uint64)))
    for line, keys in of_pieces.items():
        counts[line] += len(np.unique(np.frombuffer(keys, np.uint64)))
    if documents < FEWEST_DOCUMENTS:
        return ()
    found = sorted((-count, line) for line, count in counts.items() if count > FRACTION * documents)
    return tuple(CommonLine(line, -count, round(-count / documents, 4)) for count, line in found[:MOST])


def _wholes(index: Index, blocks: list[tuple[int, int]]) -> Iterator[_Whole]:
    for whole, rows in groupby(_rows(index, blocks), key=lambda row: row[4] if row[4] is not None else row[1]):
        parts = list(rows)
        lines: set[str] = set()
        for text in _joined(parts) if parts[0][4] is not None else [parts[0][3]]:
            lines |= lines_of(text)
        yield _Whole(str(whole), parts[0][4] is not None, frozenset(lines))


def _rows(index: Index, blocks: list[tuple[int, int]]) -> Iterator[Any]:
    """The stored documents of some blocks, without deleted ones."""
    for place, start in blocks:
        shard = index.shards[place]
        rows = np.arange(start, min(start + BLOCK, shard.rows))
        alive = ~np.isin(rows + shard.first, index.deleted, assume_unique=True)
        for row in shard.texts.select(QUERY, (start, start + BLOCK)):
            if alive[row[0] - start]:
                yield row


def _joined(parts: list[Any]) -> list[str]:
    """The text that chunks were cut from. The blank or line break between two is lost, so both are tried."""
    out, last = ["", ""], 0
    for _, _, _, text, _, start, end in sorted(parts, key=lambda part: part[5]):
        body = text[max(0, len(text) - (end - start)) :]  # each chunk begins with the title
        gap = start > last
        body = body[max(0, last - start) :]
        out = [f"{before}{between if gap else ''}{body}" for before, between in zip(out, (" ", "\n"), strict=True)]
        last = max(last, end)
    return [*out, str(parts[0][2])]


def lines_of(text: str) -> set[str]:
    """The lines of a text, with their white space normalised, that say something."""
    return {line for line in (" ".join(one.split()) for one in text.splitlines()) if _says(line)}


def _says(line: str) -> bool:
    return len(line) <= LONGEST and sum(character.isalpha() for character in line) >= FEWEST_LETTERS
