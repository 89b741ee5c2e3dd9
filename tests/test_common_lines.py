"""Boilerplate: lines that stand in more than half of the documents, whatever chunks they were cut into."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import random_explainer
from index_data import SMALL, records, write_corpus

from xetrieval.configs import ChunkConfig
from xetrieval.index import Corpus, build_index, open_index
from xetrieval.index.ask import lines
from xetrieval.index.ask.lines import CommonLine, common_lines
from xetrieval.index.build.delete import delete_documents

FOOTER = "Still stuck? Write to help@example.org and we answer within a day."
BANNER = "This page is a draft."


def build(home: Path, chunking: ChunkConfig | None = None, count: int = 40) -> Path:
    """The footer stands in every second document and one more, the banner in a quarter, a brace in all."""
    rows = records(count)
    for place, row in enumerate(rows):
        body = " ".join(f"{word.title()} is here." for word in str(row["text"]).split())
        foot = f"\n\n{FOOTER.replace(' ', '  ')}\n" if place % 2 == 0 or place == 1 else ""
        row["text"] = f"{body}\n}}\n{BANNER if place % 4 == 0 else ''}{foot}"
    corpus = Corpus((write_corpus(home / "c.jsonl", rows),), chunking)
    build_index(corpus, random_explainer(), home / "index", SMALL)
    return home / "index"


@pytest.mark.slow
@pytest.mark.parametrize("chunking", [None, ChunkConfig(24, 1), ChunkConfig(40)])
def test_a_line_in_more_than_half_of_the_documents_is_named(tmp_path: Path, chunking: ChunkConfig | None) -> None:
    folder = build(tmp_path, chunking)
    assert common_lines(open_index(folder)) == (CommonLine(FOOTER, 21, 0.525),)
    delete_documents(folder, ["d1", "d2"])  # 19 of 38 are not more than half
    assert common_lines(open_index(folder)) == ()


def test_in_a_large_index_lines_are_looked_for_in_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_index(build(tmp_path))
    monkeypatch.setattr(lines, "BLOCK", 3)  # more blocks than the sample has
    assert sum(-(-shard.rows // 3) for shard in index.shards) > lines.SAMPLED
    assert common_lines(index) == (CommonLine(FOOTER, 21, 0.525),)


def test_pieces_that_cut_a_line_give_its_parts(tmp_path: Path) -> None:
    found = common_lines(open_index(build(tmp_path, ChunkConfig(16))))
    assert [one.line for one in found] == ["Still stuck?", "Write to help@example.org and we answer within a day."]


def test_a_few_documents_have_no_boilerplate(tmp_path: Path) -> None:
    corpus = Corpus((write_corpus(tmp_path / "c.jsonl", [{"_id": str(i), "text": "the same"} for i in range(4)]),))
    build_index(corpus, random_explainer(), tmp_path / "index", SMALL)
    assert common_lines(open_index(tmp_path / "index")) == ()
