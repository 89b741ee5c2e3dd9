"""The text of an HTML page, parsed as a browser would (HTML, section 13.2; the parser is Lexbor)."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

BLOCKS: Final = frozenset(
    """address article aside blockquote body br button caption dd desc div dl dt fieldset figcaption figure footer form
    frame h1 h2 h3 h4 h5 h6 header hr iframe legend li main nav noembed ol optgroup option p pre section select summary
    table td textarea th title tr ul""".split()  # noqa: SIM905  # one per line would fill a screen
)
SILENT: Final = frozenset({"script", "style", "template", "noscript"})  # elements that browsers do not show

# In XML `/>` closes such an element; in HTML it does not. HTML has CDATA only in drawings.
ENDED: Final = re.compile(r"<(script|style|template|noscript|title|textarea|iframe)\b[^<>]*/>", re.IGNORECASE)
CDATA: Final = re.compile(r"(<(script|style)\b[^>]*>.*?</\2\s*>)|<!\[CDATA\[(.*?)\]\]>", re.DOTALL | re.IGNORECASE)
DEEPEST: Final = 4000  # nesting of elements; browsers stop at 512, and parsing time is quadratic in it
NESTING: Final = re.compile(
    r"<(/?)(?:article|aside|blockquote|center|details|div|dl|fieldset|figure|footer|form|header|main|nav|ol|section"
    r"|table|ul)\b",
    re.IGNORECASE,
)


def page_text(html: str, *, xml: bool = False) -> tuple[str, str]:
    """Title and text of a page, one line per block, without scripts and styles.

    Args:
        xml: whether it is XHTML, which browsers read by the rules of XML.
    Raises:
        ValueError: elements are nested too deeply. The message is only the reason.
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
        elif tag == "title":  # browsers do not show the title of a drawing
            titles += [] if drawing else [node.text() or ""]
        elif tag not in SILENT:
            drawing += tag == "svg"
            parts.append("\n" if tag in BLOCKS else "")
            ahead.append((node, True))
            ahead.extend((child, False) for child in reversed(list(node.iter(include_text=True))))
    lines = (" ".join(line.split()) for line in "".join(parts).splitlines())
    return " ".join(titles[0].split()) if titles else "", "\n".join(line for line in lines if line)
