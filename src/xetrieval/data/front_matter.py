"""YAML front matter of a Markdown file: metadata of the page.

Read by the rules of YAML 1.2 rather than 1.1: only true, false, null and decimal numbers are not text, so `no`,
`12:30`, `010`, `0x10` and dates stay as written. A title or a key is always text: 3.10 does not become 3.1.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final, NamedTuple

from ..files import is_whole
from .values import plain

LONGEST: Final = 64 << 10  # characters; anything longer is not front matter
OPEN: Final = re.compile(r"---[ \t]*\r?\n")
CLOSE: Final = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$\n?", re.MULTILINE)


class FrontMatter(NamedTuple):
    """The metadata before a page's text, and where the text begins."""

    facts: dict[str, Any]
    start: int
    unread: bool = False  # there is front matter, but it is not readable YAML


def split_front_matter(text: str) -> FrontMatter:
    """The front matter of a page.

    If there is none, or it is not closed or not a YAML mapping, the whole page is text.
    """
    opened = OPEN.match(text)
    closed = CLOSE.search(text, opened.end(), opened.end() + LONGEST) if opened else None
    if opened is None or closed is None:
        return FrontMatter({}, 0)
    try:
        facts = _yaml(text[opened.end() : closed.start()])
    except ValueError:
        return FrontMatter({}, 0, unread=True)
    mapping = facts is None or isinstance(facts, dict)
    return FrontMatter(facts or {}, closed.end()) if mapping else FrontMatter({}, 0)


def _yaml(text: str) -> Any:
    """A YAML document as JSON values.

    Raises:
        ValueError: not YAML, an alias, a value that JSON cannot represent, or endless nesting.
    """
    import yaml

    try:
        value = yaml.load(text, Loader=_loader())
        content = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (yaml.YAMLError, RecursionError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError("not YAML, or not JSON") from error
    if not is_whole(content):
        raise ValueError("half a character")
    return plain(value)


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # replaces those of YAML 1.1

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):  # a few of them can represent billions of values
                raise yaml.YAMLError("aliases are not supported")
            if getattr(self.peek_event(), "tag", None) is not None:
                raise yaml.YAMLError("tags are not supported")
            return super().compose_node(parent, index)

        def get_single_node(self) -> Any:
            node = super().get_single_node()
            for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
                if key.value == "title" and isinstance(value, yaml.ScalarNode) and not value.tag.endswith(":null"):
                    value.tag = "tag:yaml.org,2002:str"
            return node

        def construct_mapping(self, node: Any, **deep: Any) -> Any:
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):  # a key is always text: null, true, 3.10
                    key.tag = "tag:yaml.org,2002:str"
            mapping = super().construct_mapping(node, **deep)
            if len(mapping) != len(node.value):
                raise yaml.YAMLError("duplicate key")
            return mapping

    for tag, form, first in (
        ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
        ("float", r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{form})\Z"), list(first))
    return Loader
