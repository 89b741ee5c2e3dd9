"""Text files as documents: Markdown with its front matter, HTML without its tags, other files unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from ..files import kind_of
from ..files.kind import OURS
from ..files.paths import path_text
from .chunks import FENCE, HEADING, LONGEST_LINE, LONGEST_TITLE, begins_with
from .corpus import ChunkPlace, Document
from .front_matter import split_front_matter
from .html_text import page_text
from .lines import BadLine, check_file, each, other_kind
from .skipped import WITHOUT_TEXT, Skipped

MARKDOWN: Final = (".md", ".markdown")
HTML: Final = (".html", ".htm", ".xhtml")
PAGE_FILES: Final = (".txt", *MARKDOWN, ".rst", *HTML)
LARGEST: Final = 64 << 20  # bytes in a file; larger files are refused
FRONT_MATTER: Final = "front_matter"  # metadata key for fields whose names we use ourselves
CODE: Final = re.compile(r" {4}| {0,3}\t")
REMARK: Final = re.compile(r"(`[^`]*`)|<!--.*?-->")  # a comment within a line; in code it is text


def read_folder(folder: Path, skipped: Skipped) -> Iterator[Document | BadLine]:
    """The text, Markdown and HTML files of a folder, sorted by path, without hidden files and those of an index in it.

    Raises:
        InputError: nothing to read in it, or the folder itself is an index, an explainer or another folder of ours.
    """
    if (kind := kind_of(folder) or "").startswith(OURS):
        raise InputError(f"{path_text(folder)}: a folder made by this program ({kind}), not a corpus")
    visible, kinds = [], cache(kind_of)
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or path.is_dir():
            continue
        if not path.is_file():
            skipped.add_file(folder, path, "broken links and pipes")
            continue
        ours = [kind for parent in path.parents[: len(parts)] if (kind := kinds(parent) or "").startswith(OURS)]
        if path.suffix.lower() in PAGE_FILES and not ours:
            visible.append(path)
        else:
            skipped.add_file(folder, path, ours[0] if ours else path.suffix.lower())
    if not visible:
        raise InputError(
            f"{path_text(folder)}: neither corpus.jsonl nor any file ending in {', '.join(PAGE_FILES)} in this folder"
        )
    yield from _documents(folder, visible, skipped)


def read_page(path: Path, skipped: Skipped) -> Iterator[Document | BadLine]:
    """One file; a file without text gives no document and is added to `skipped`."""
    check_file(path)
    yield from _documents(path, [path], skipped)


def _documents(source: Path, paths: Iterable[Path], skipped: Skipped) -> Iterator[Document | BadLine]:
    for page in each(paths, lambda path: _page(path, source, skipped)):
        if page is not None:
            yield page


def _page(path: Path, source: Path, skipped: Skipped) -> Document | None:
    name = path_text(path.name if path == source else path.relative_to(source).as_posix())
    try:
        if path.stat().st_size > LARGEST:
            raise BadLine(path, 0, f"larger than {LARGEST >> 20} MB; cut it into pages")
        content = path.read_bytes()
        if other := other_kind(content if b"\0" in content else content[:6]):
            raise BadLine(path, 0, other, content)
        whole = content.decode("utf-8-sig")  # keeps line endings, so that offsets match the file
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 (byte {error.start + 1}); convert it, or leave it out"
        raise BadLine(path, 0, reason, error.object) from error
    except OSError as error:
        raise BadLine(path, 0, f"cannot be read ({error.strerror or error})") from error
    ending = path.suffix.lower()
    facts: dict[str, Any] = {}
    title, text, start = "", whole, 0
    if ending in HTML:
        try:
            title, text = page_text(whole, xml=ending == ".xhtml")
        except ValueError as error:
            raise BadLine(path, 0, str(error)) from error
        whole = text
    elif ending in MARKDOWN:
        facts, start, unread = split_front_matter(whole)
        if unread:
            skipped.add_front_matter(source, path)
        text = whole[start:]
        title = _text_of(facts.pop("title", ""), facts)
        if "file" in facts:  # our name for the path
            if FRONT_MATTER in facts:
                raise BadLine(path, 0, f"front matter has both file and {FRONT_MATTER}; rename one")
            facts[FRONT_MATTER] = {"file": facts.pop("file")}
    if not text.strip():
        if facts and not title:
            raise BadLine(path, 0, "front matter without a title or a text", whole[:1000].encode())
        if not title:
            skipped.add_file(source, path, WITHOUT_TEXT)
            return None
        text = ""  # the title is enough; front matter is not text
    given, title = bool(title), (title or _heading(text, ending) or name)[:LONGEST_TITLE]
    encoded = f"{title}\n{text}".strip("\n" if not text else "") if given and not begins_with(text, title) else text
    fields = {"title": title, "metadata": {**facts, "file": name}}
    return Document(name, encoded, text, name, fields, ChunkPlace(name, start, start + len(text)))


def _text_of(title: Any, facts: dict[str, Any]) -> str:
    """The title in the front matter; if it is neither text nor a number, it stays metadata."""
    if isinstance(title, str | int | float) and not isinstance(title, bool):
        return " ".join(str(title).split())
    if title is not None:
        facts["title"] = title
    return ""


def _heading(text: str, ending: str) -> str:
    """The first `# heading` of Markdown, else the first line with a letter in it outside code and comments."""
    lines = [line[:LONGEST_LINE] for line in (_prose(text) if ending in MARKDOWN else text.splitlines())]
    headings = [made for line in lines if (made := HEADING.fullmatch(line)) and made["text"]]
    if ending in MARKDOWN and (first := next((one["text"] for one in headings if one["level"] == "#"), "")):
        return first
    line = next((line for line in lines if line.strip("#=- \t")), "")
    heading = HEADING.fullmatch(line)
    return heading["text"] if heading else line.lstrip("#= \t").rstrip("= \t")


def _prose(text: str) -> Iterator[str]:
    """The lines of Markdown that are neither code nor HTML comments."""
    fence, comment = "", False
    for line in text.splitlines():
        bare = line.strip()
        mark = FENCE.match(line)
        if fence:
            fence = "" if bare.startswith(fence) and not bare.strip(fence[0]) else fence
        elif comment or line.lstrip(" ").startswith("<!--"):
            comment = "-->" not in line
        elif mark:
            fence = mark[1]
        elif not CODE.match(line):
            yield REMARK.sub(r"\1", line[:LONGEST_LINE])
