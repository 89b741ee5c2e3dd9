"""The outcomes of a check as JUnit XML, which systems for continuous integration show test by test."""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ...render.text import without_colour
from ...text import printable
from .expect import Expectation, Outcomes
from .tables import broken_parts

NOT_IN_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(found: Outcomes, name: str) -> str:
    """A test suite with a test case for each expectation; a failure has the explanation of what broke.

    Args:
        name: of the suite, such as the name of the index.
    """
    counts = {"tests": str(found.expectations), "failures": str(found.failures), "errors": "0"}
    root = Element("testsuites", counts)
    suite = SubElement(root, "testsuite", {"name": _kept(printable(name)), **counts})
    for number, one in enumerate(found.outcomes, 1):
        where = one.expectation.where or f"expectation {number}"
        case = SubElement(suite, "testcase", {"classname": _kept(where), "name": _kept(_wanted(one.expectation))})
        if one.broken:
            failure = SubElement(case, "failure", {"message": _kept(printable("; ".join(one.broken)))})
            failure.text = _kept(without_colour(*broken_parts(one)))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _wanted(one: Expectation) -> str:
    """What is expected, in words."""
    conditions = (
        *([f"in the top {one.in_top}"] if one.in_top is not None else []),
        *([f"not in the top {one.not_in_top}"] if one.not_in_top is not None else []),
        *([f"at least {one.explained:.0%} explained"] if one.explained is not None else []),
    )
    mode = "" if one.by == "dense" else f" ({one.by})"
    return f"{printable(one.query)}: {printable(one.doc_id)} {', '.join(conditions)}{mode}"


def _kept(text: str) -> str:
    """The text without characters that XML cannot have."""
    return NOT_IN_XML.sub("\ufffd", text)
