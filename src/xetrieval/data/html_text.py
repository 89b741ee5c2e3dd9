"""The text of an HTML page, by the standard library's reader."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import Final

BLOCKS: Final = frozenset(
    """address article aside blockquote body br caption dd div dl dt fieldset figcaption figure footer form h1
    h2 h3 h4 h5 h6 header hr li main nav ol option p pre section summary table td th tr ul""".split()  # noqa: SIM905  # one a line would fill a screen
)
SILENT: Final = frozenset({"script", "style", "template", "noscript"})  # what a reader of the page does not see

# The standard library's reader ends some comments and scripts later than browsers do (HTML, section 13.2.5): `<!-->`,
# `--!>` and `</script\tx>` end them too. What would be swallowed is text of the page.
UNSEEN: Final = re.compile(
    r"<(script|style)\b[^>]*>.*?(?:</\1(?:[\s/][^>]*)?>|\Z)|<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL | re.IGNORECASE
)
# In XML, and in drawings within HTML, such an element can end where it begins; elsewhere `/>` ends nothing.
ENDED: Final = re.compile(rf"<({'|'.join(sorted(SILENT))})\b[^<>]*/>", re.IGNORECASE)
DRAWING: Final = re.compile(r"<svg\b.*?(?:</svg\s*>|\Z)", re.DOTALL | re.IGNORECASE)
CDATA: Final = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title: list[str] = []
        self.hidden = self.in_title = self.drawing = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in SILENT
        self.drawing += tag == "svg"
        self.in_title += tag == "title" and not self.title and not self.drawing  # a drawing's title is not the page's
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self.hidden = max(0, self.hidden - 1)
        if tag == "title":
            self.in_title = 0
        if tag == "svg":
            self.drawing = max(0, self.drawing - 1)
        if tag in BLOCKS:
            self.parts.append("\n")

    def parse_html_declaration(self, i: int) -> int:
        try:
            return super().parse_html_declaration(i)
        except AssertionError:  # of Python up to 3.12 at `<![0`, which browsers read as a comment
            return self.parse_bogus_comment(i)

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title.append(data)
        elif not self.hidden:
            self.parts.append(data)


def page_text(html: str, *, xml: bool = False) -> tuple[str, str]:
    """Title and text of a page: a line for each block, scripts and styles left out.

    Args:
        xml: whether it is XHTML, which browsers read by the rules of XML.
    """
    html = ENDED.sub("", html) if xml else DRAWING.sub(lambda drawing: ENDED.sub("", drawing[0]), html)
    html = UNSEEN.sub("", html)
    if xml:
        html = CDATA.sub(lambda text: escape(text[1]), html)
    reader = _Page()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    return " ".join("".join(reader.title).split()), "\n".join(line for line in lines if line)
