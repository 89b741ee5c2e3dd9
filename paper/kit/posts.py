"""Posts of a Stack Exchange data dump: a folder of communities, each with its Posts.xml, sampled by quotas.

stackexchange:FOLDER#QUOTAS.json names both: FOLDER/COMMUNITY/Posts.xml, and {"COMMUNITY": how many posts}.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from xetrieval.data.corpus import Document
from xetrieval.data.html_text import page_text
from xetrieval.data.skipped import Skipped
from xetrieval.data.sources import read_corpora
from xetrieval.errors import InputError
from xetrieval.files import read_json

SHORTEST: Final = 100  # characters: shorter posts have too little content to teach
KINDS: Final = {"1": "q", "2": "a"}  # questions and answers; a dump has other kinds too


def read_sources(sources: Iterable[str], skipped: Skipped | None = None) -> list[Document]:
    """Corpora of any kind: BEIR folders and files as they are, dumps as stackexchange:FOLDER#QUOTAS.json."""
    found: list[Document] = []
    plain: list[Path] = []
    for source in sources:
        if source.startswith("stackexchange:"):
            folder, _, quotas = source.removeprefix("stackexchange:").partition("#")
            found += sampled_posts(Path(folder), read_quotas(Path(quotas)))
        else:
            plain.append(Path(source))
    return [*read_corpora(plain, skipped), *found]


def read_quotas(path: Path) -> dict[str, int]:
    """{community: posts}.

    Raises:
        InputError: no such file, or not such an object.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the quotas of the communities as JSON")
    quotas = read_json(path, InputError)
    if not isinstance(quotas, dict) or not all(type(count) is int and count > 0 for count in quotas.values()):
        raise InputError(f'{path}: expected {{"COMMUNITY": NUMBER OF POSTS}}')
    return quotas


def sampled_posts(folder: Path, quotas: Mapping[str, int]) -> list[Document]:
    """Of each community the posts whose ids have the smallest hashes, up to its quota.

    Raises:
        InputError: a community's Posts.xml is missing or broken.
    """
    out: list[Document] = []
    for community, count in quotas.items():
        posts = read_posts(folder / community / "Posts.xml", community)
        out += heapq.nsmallest(count, posts, key=lambda post: sha256(post.id.encode()).digest())
    return out


def read_posts(path: Path, community: str) -> Iterator[Document]:
    """Questions (title and body) and answers of one community, without HTML, one at a time.

    An answer's thread is its question. Posts of fewer than 100 characters are skipped.

    Raises:
        InputError: no such file, or XML that cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; unpack the dump of {community} there")
    try:
        for _, row in ElementTree.iterparse(path):
            kind = KINDS.get(row.get("PostTypeId", "")) if row.tag == "row" else None
            if kind is not None:
                post = _post(row, kind, community)
                if len(post.text) >= SHORTEST:
                    yield post
            row.clear()
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not the XML of a dump ({error})") from error


def _post(row: ElementTree.Element, kind: str, community: str) -> Document:
    number, title = row.get("Id", ""), " ".join(row.get("Title", "").split())
    _, body = page_text(row.get("Body", ""))
    parent = number if kind == "q" else row.get("ParentId", number)
    text = f"{title}\n{body}".strip()
    fields = {"title": title, "metadata": {"site": community}}
    return Document(f"{community}/{kind}{number}", text, body, f"{community}/q{parent}", fields)
