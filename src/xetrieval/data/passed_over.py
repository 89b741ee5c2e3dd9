"""Files of a corpus that gave no document, and front matter that could not be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from .lines import shown

WITHOUT_TEXT: Final = "without text"


class PassedOver:
    """Files that gave no document, or lost their front matter. A file that is read twice is counted once."""

    def __init__(self) -> None:
        self._files: dict[Path, dict[Path, str]] = {}  # of each source: file and kind
        self._unread: dict[Path, set[Path]] = {}

    def add(self, source: Path, path: Path, kind: str) -> None:
        """A file of `source` that gave no document: its ending in small letters, or WITHOUT_TEXT."""
        self._files.setdefault(source, {})[path] = kind

    def add_unread(self, source: Path, path: Path) -> None:
        """A page of `source` whose front matter is not readable YAML, and was taken as text."""
        self._unread.setdefault(source, set()).add(path)

    @property
    def notes(self) -> list[str]:
        """A sentence for each source and kind."""
        notes = [_files(source, Counter(kinds.values())) for source, kinds in self._files.items()]
        return notes + [_pages(source, sorted(pages)) for source, pages in self._unread.items()]


def _files(source: Path, counts: Counter[str]) -> str:
    kinds = ", ".join(f"{count:,} {kind or 'without ending'}" for kind, count in counts.most_common(6))
    number = sum(counts.values())
    were = "file was" if number == 1 else "files were"
    more = ", ..." if len(counts) > 6 else ""
    return f"{shown(source)}: {number:,} {were} skipped: without text, or of a kind that is not read ({kinds}{more})"


def _pages(source: Path, pages: list[Path]) -> str:
    first = "" if pages == [source] else f", e.g. {shown(pages[0].relative_to(source))}"
    of = "page has front matter" if len(pages) == 1 else "pages have front matter"
    return f"{shown(source)}: {len(pages):,} {of} that is not readable YAML, and was taken as text{first}"
