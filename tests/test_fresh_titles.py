"""Titles of Markdown pages come from headings, as CommonMark reads them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from xetrieval.data import Skipped
from xetrieval.data.lines import BadLine
from xetrieval.data.pages import read_page


def title_of(path: Path, content: str) -> object:
    path.write_text(content)
    [page] = read_page(path, Skipped())
    assert not isinstance(page, BadLine)
    return page.fields["title"]


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("<!-- # Draft, do not publish -->\n\n# Salt\n\ntext\n", "Salt"),
        ("<!--\n# Template\n\n# More of it\n-->\n# Salt\n\ntext\n", "Salt"),
        ("<!-- prettier-ignore -->\n\nplain text without a heading\n", "plain text without a heading"),
        ("# Salt <!-- omit in toc -->\n\ntext\n", "Salt"),
        ("# The `<!-- mark -->` of comments\n", "The `<!-- mark -->` of comments"),
        ("text <!-- begins here\n# Salt\nand ends here -->\n", "Salt"),
        ("    # a comment in code\n\n# Salt\n", "Salt"),
        ("````\n```\n# not a heading\n```\n````\n# Salt\n", "Salt"),
        ("~~~\n# not a heading\n```\n~~~\n# Salt\n", "Salt"),
        ("``` `a` is code in a line\n# Salt\n", "Salt"),
        ("# Learn C#\n", "Learn C#"),
        ("# Salt ##\n", "Salt"),
        ("## F#\n\ntext\n", "F#"),
        ("#hashtag and more\n", "hashtag and more"),
        ("#\n\n# Salt\n", "Salt"),
        ("Salt\n====\n", "Salt"),
        ("# Salt\r\n\r\ntext\r\n", "Salt"),
        ("<!-- only a remark -->\n", "page.md"),
        ("<!-- never closed\n# Draft\n", "page.md"),
    ],
)
def test_the_title_of_a_page_is_its_first_heading_outside_of_code_and_comments(
    content: str, title: str, tmp_path: Path
) -> None:
    assert title_of(tmp_path / "page.md", content) == title


def test_a_text_file_has_no_comments(tmp_path: Path) -> None:
    assert title_of(tmp_path / "page.txt", "<!-- of C#\n") == "<!-- of C#"


@pytest.mark.parametrize("line", ["<!--" * 500_000, "# " + " #" * 500_000 + "x", "`" * 1_000_001])
def test_an_endless_line_takes_no_endless_time(line: str, tmp_path: Path) -> None:
    began = time.perf_counter()
    title_of(tmp_path / "page.md", f"{line}\nword\n")
    assert time.perf_counter() - began < 2
