"""Text files as documents: Markdown with its front matter, HTML without its tags, other files unchanged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from .chunks import LONGEST_TITLE, begins_with
from .corpus import Document, Piece
from .front_matter import split_front_matter
from .html_text import page_text
from .lines import BadLine, check_file, shown
from .skipped import WITHOUT_TEXT, Skipped

MARKDOWN: Final = (".md", ".markdown")
HTML: Final = (".html", ".htm", ".xhtml")
PAGE_FILES: Final = (".txt", *MARKDOWN, ".rst", *HTML)
LARGEST: Final = 64 << 20  # bytes of a file; no page is longer


def read_folder(folder: Path, skipped: Skipped) -> Iterator[Document | BadLine]:
    """The text, Markdown and HTML files of a folder, by path; hidden ones are skipped.

    Args:
    """
    found = False
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in within.parts)
        if hidden or not path.is_file():
            continue
        if path.suffix.lower() in PAGE_FILES:
            found = True
            yield from _page(path, within.as_posix(), folder, skipped)
        else:
            skipped.add_file(folder, path, path.suffix.lower())
    if not found:
        raise InputError(
            f"{shown(folder)}: neither corpus.jsonl nor any file ending in {', '.join(PAGE_FILES)} in this folder"
        )


def read_page(path: Path, skipped: Skipped) -> Iterator[Document | BadLine]:
    """One file; without text it gives no document and goes to `skipped`."""
    check_file(path)
    yield from _page(path, path.name, path, skipped)


def _page(path: Path, name: str, source: Path, skipped: Skipped) -> Iterator[Document | BadLine]:
    name = os.fsencode(name).decode("utf-8", "backslashreplace")  # printable even if it is not UTF-8
    try:
        if path.stat().st_size > LARGEST:
            yield BadLine(path, 0, f"larger than {LARGEST >> 20} MB; cut it into pages")
            return
        whole = path.read_bytes().decode("utf-8-sig")  # line ends stay: offsets are those of the file
    except UnicodeDecodeError as error:
        yield BadLine(path, 0, f"not UTF-8 (byte {error.start + 1}); convert it, or leave it out", error.object[:1000])
        return
    except OSError as error:
        yield BadLine(path, 0, f"cannot be read ({error.strerror or error})")
        return
    ending = path.suffix.lower()
    facts: dict[str, Any] = {}
    title, text, start = "", whole, 0
    if ending in HTML:
        title, text = page_text(whole)
        whole = text
    elif ending in MARKDOWN:
        facts, start, unread = split_front_matter(whole)
        if unread:
            skipped.add_front_matter(source, path)
        text = whole[start:]
        title = _text_of(facts.pop("title", ""), facts)
    if not text.strip():
        if facts and not title:
            yield BadLine(path, 0, "front matter without a title or a text", whole[:1000].encode())
        elif not title:
            skipped.add_file(source, path, WITHOUT_TEXT)
        if not title:
            return
        text = ""  # a title is enough; front matter is never text
    given, title = bool(title), (title or _heading(text, ending) or name)[:LONGEST_TITLE]
    encoded = f"{title}\n{text}".strip("\n" if not text else "") if given and not begins_with(text, title) else text
    fields = {"title": title, "metadata": {**facts, "file": name}}
    yield Document(name, encoded, text, name, fields, Piece(name, start, start + len(text)))


def _text_of(title: Any, facts: dict[str, Any]) -> str:
    """A title of front matter; one that is not text or a number stays metadata."""
    if isinstance(title, str | int | float) and not isinstance(title, bool):
        return " ".join(str(title).split())
    if title is not None:
        facts["title"] = title
    return ""


def _heading(text: str, ending: str) -> str:
    """The first `# heading` of Markdown, outside of code; else the first line with a letter in it."""
    lines = [line.strip() for line in text.splitlines()]
    if ending in MARKDOWN:
        fence = ""
        for line in lines:
            mark = line[:3] if line[:3] in ("```", "~~~") else ""
            if mark and fence in ("", mark):
                fence = "" if fence else mark
            elif not fence and line.startswith("# ") and line.strip("# \t"):
                return line.strip("# \t")
    return next((line.strip("#= \t") for line in lines if line.strip("#=- \t")), "")
