"""The text of an HTML page, as a browser would read it (HTML, section 13.2; the parser is Lexbor's)."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

BLOCKS: Final = frozenset(
    """address article aside blockquote body br button caption dd desc div dl dt fieldset figcaption figure footer form
    frame h1 h2 h3 h4 h5 h6 header hr iframe legend li main nav noembed ol optgroup option p pre section select summary
    table td textarea th title tr ul""".split()  # noqa: SIM905  # one a line would fill a screen
)
SILENT: Final = frozenset({"script", "style", "template", "noscript"})  # what a reader of the page does not see

# In XML such an element can end where it begins; in HTML `/>` ends nothing. HTML has CDATA in drawings alone.
ENDED: Final = re.compile(r"<(script|style|template|noscript|title|textarea|iframe)\b[^<>]*/>", re.IGNORECASE)
CDATA: Final = re.compile(r"(<(script|style)\b[^>]*>.*?</\2\s*>)|<!\[CDATA\[(.*?)\]\]>", re.DOTALL | re.IGNORECASE)
DEEPEST: Final = 4000  # elements within one another; browsers stop at 512, and parsing takes the square of it
NESTING: Final = re.compile(
    r"<(/?)(?:article|aside|blockquote|center|details|div|dl|fieldset|figure|footer|form|header|main|nav|ol|section"
    r"|table|ul)\b",
    re.IGNORECASE,
)


def page_text(html: str, *, xml: bool = False) -> tuple[str, str]:
    """Title and text of a page: a line for each block, scripts and styles left out.

    Args:
        xml: whether it is XHTML, which browsers read by the rules of XML.
    Raises:
        ValueError: elements are nested too deep. The message is the reason alone.
    """
    from selectolax.lexbor import LexborHTMLParser

    depth = 0
    for end in NESTING.findall(html):
        depth = max(0, depth - 1) if end else depth + 1
        if depth > DEEPEST:
            raise ValueError(f"elements are nested more than {DEEPEST:,} deep")
    if xml:
        html = CDATA.sub(lambda found: found[1] or escape(found[3]), ENDED.sub("", html))
    titles, parts = [], []
    node: Any = LexborHTMLParser(html).root
    drawing, ahead = 0, [(node, False)] if node is not None else []
    while ahead:  # not recursive: pages can be nested deeper than Python's stack
        node, done = ahead.pop()
        tag = node.tag
        if tag == "-text":
            parts.append(node.text_content)
        elif done:
            drawing -= tag == "svg"
            parts.append("\n" if tag in BLOCKS else "")
        elif tag == "title":  # that of a drawing is not seen
            titles += [] if drawing else [node.text() or ""]
        elif tag not in SILENT:
            drawing += tag == "svg"
            parts.append("\n" if tag in BLOCKS else "")
            ahead.append((node, True))
            ahead.extend((child, False) for child in reversed(list(node.iter(include_text=True))))
    lines = (" ".join(line.split()) for line in "".join(parts).splitlines())
    return " ".join(titles[0].split()) if titles else "", "\n".join(line for line in lines if line)
