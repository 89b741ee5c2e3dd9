"""Build the documentation as a site, in build/site: `make docs`.

    python docs/make_site.py            build it
    python docs/make_site.py --pages    only write the pages that the site is built from

Needs `pip install "xetrieval[docs]"`. The pages are those of docs/, with three changes: the README is the home page,
links to files outside docs/ that are not pages become plain text, and the Python reference is made by mkdocstrings.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PAGES, SITE = ROOT / "build" / "site-pages", ROOT / "build" / "site"
MOVED = {  # files of the repository, and their pages
    "README.md": "index.md",
    "docs/README.md": "contents.md",
    "docs/index.md": "indexes.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PICTURE_OF_ROOMS = re.compile(r"^```mermaid\n.*?^```", re.DOTALL | re.MULTILINE)
FETCHING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


def sources() -> dict[Path, str]:
    """Every file of the repository that is a page, and the page's name."""
    moved = {ROOT / source: page for source, page in MOVED.items()}
    return {path: path.name for path in sorted(DOCS.glob("*.md")) if path not in moved} | moved


def page(path: Path, names: dict[Path, str], pictures: Path) -> str:
    """A page of the site: its links lead to other pages, and its pictures are beside it."""

    def link(found: re.Match[str]) -> str:
        name, _, anchor = found["target"].partition("#")
        if "://" in name or not name:
            return found[0]
        target = (path.parent / name).resolve()
        if target in names:
            return f"[{found['text']}]({names[target]}{'#' if anchor else ''}{anchor})"
        if found["picture"]:
            shutil.copy(target, pictures / target.name)
            return f"![{found['text']}]({target.name})"
        return found["text"]

    text = PICTURE_OF_ROOMS.sub(lambda block: table_of_rooms(block[0]), path.read_text(encoding="utf-8"))
    out, end = [], 0
    for fence in FENCE.finditer(text):
        out += [LINK.sub(link, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*out, LINK.sub(link, text[end:])])


def table_of_rooms(block: str) -> str:
    """A flow chart as a table: mermaid would have to be loaded from elsewhere."""
    labels = dict(re.findall(r'(\w+)\["(?:\w+: )?(.*?)"\]', block))
    uses: dict[str, list[str]] = {room: [] for room in labels}
    for room, other in re.findall(r"^ *(\w+)(?:\[.*?\])? --> (\w+)", block, flags=re.MULTILINE):
        uses[room].append(other)
    rows = [f"| `{room}` | {label} | {', '.join(uses[room])} |" for room, label in labels.items()]
    return "\n".join(["| package | content | uses |", "|---|---|---|", *rows])


def python_reference() -> str:
    """The page of the public names, which mkdocstrings fills in."""
    import xetrieval

    names = "\n\n".join(f"::: xetrieval.{name}" for name in xetrieval.__all__)
    return f"# Python reference\n\nEverything that `import xetrieval` promises, and nothing else.\n\n{names}\n"


def write_pages() -> None:
    """Write the pages that the site is built from."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir(parents=True)
    names = sources()
    for path, name in names.items():
        (PAGES / name).write_text(page(path, names, PAGES), encoding="utf-8")
    (PAGES / "reference.md").write_text(python_reference(), encoding="utf-8")
    shutil.copy(DOCS / "site.css", PAGES)


class Requests(HTMLParser):
    """What a browser fetches for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in FETCHING and not (tag == "link" and values.get("rel") == "canonical"):
            self.urls.append(values.get(FETCHING[tag]) or "")


def requests_outside(site: Path) -> list[str]:
    """Scripts, styles, fonts and pictures that a page of the site would fetch from another machine."""
    found = []
    for path in sorted(site.rglob("*.html")):
        parser = Requests()
        parser.feed(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: {url}" for url in parser.urls if urlsplit(url).netloc]
    for path in sorted(site.rglob("*.css")):
        urls = re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: {url}" for url in urls if urlsplit(url).netloc]
    return found


def main() -> None:
    """Build the site."""
    write_pages()
    if "--pages" in sys.argv[1:]:
        return
    shutil.rmtree(SITE, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "zensical", "build", "--clean"], cwd=ROOT, check=True)
    if outside := requests_outside(SITE):
        raise SystemExit("the site fetches from other machines:\n" + "\n".join(outside))
    sys.stdout.write(f"{SITE.relative_to(ROOT)}/index.html: no page fetches anything from another machine\n")


if __name__ == "__main__":
    main()
