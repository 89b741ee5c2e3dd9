"""For mkdocstrings: a field is described by the comment behind it, or by the help of the option that it is."""

from __future__ import annotations

import re
from typing import Any

import griffe


def plain(annotation: Any) -> tuple[Any, str]:
    """A type without its Annotated, and the help of its Option."""
    if getattr(annotation, "canonical_name", "") != "Annotated":
        return annotation, ""
    kind, *details = annotation.slice.elements
    option = next((one for one in details if str(one).startswith("Option(")), None)
    return kind, str(getattr(option.arguments[0], "value", option.arguments[0])).strip("\"'") if option else ""


class Comments(griffe.Extension):
    """Sets the docstrings of fields, and strips the checks from types."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """A field of a class."""
        attr.annotation, text = plain(attr.annotation)
        comment = re.search(r"  # (.*)$", attr.lines[-1]) if attr.lines else None
        text = text or (comment[1] if comment else "")
        if text and not attr.docstring and not re.match(r"(type|noqa)\b", text):
            attr.docstring = griffe.Docstring(text, parent=attr)

    def on_function_instance(self, *, func: griffe.Function, **_: Any) -> None:
        """A function or method."""
        for parameter in func.parameters:
            parameter.annotation, _help = plain(parameter.annotation)
