"""A corpus that every machine with Python has: the help topics and docstrings of the running interpreter."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .corpus import Document

LONGEST: Final = 500  # characters of a passage
SHORTEST: Final = 120
IMPORTED: Final = ("builtins", "math", "itertools", "time", "functools", "collections", "operator")  # written in C
LEFT_OUT: Final = {"idlelib", "lib2to3", "turtledemo", "test", "tkinter", "site-packages", "turtle", "pydoc_data"}


def python_docs(limit: int = 1500) -> list[Document]:
    """About `limit` passages, the same ones on every run of one Python version.

    Sources are parsed, not imported, so no module's import can have side effects.
    """
    passages = [*_topics(), *_builtin(), *_library()]
    seen: set[str] = set()
    unique = [(name, text) for name, text in passages if not (text in seen or seen.add(text))]  # type: ignore[func-returns-value]
    every = max(1.0, len(unique) / limit)
    kept = [unique[int(place * every)] for place in range(min(limit, len(unique)))]
    names: dict[str, int] = {}
    documents = []
    for name, text in kept:
        names[name] = names.get(name, 0) + 1
        identifier = name if names[name] == 1 else f"{name}#{names[name]}"
        documents.append(Document(identifier, f"{name}\n{text}", text, name, {"title": name, "metadata": {}}))
    return documents


def _topics() -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics

    for name in sorted(topics):
        paragraphs = re.split(r"\n\s*\n", topics[name])
        passage = ""
        for paragraph in paragraphs:
            paragraph = " ".join(paragraph.split())
            if passage and len(passage) + len(paragraph) > LONGEST:
                yield from _passage(f"help('{name}')", passage)
                passage = ""
            passage = f"{passage} {paragraph}".strip()
        yield from _passage(f"help('{name}')", passage)


def _builtin() -> Iterator[tuple[str, str]]:
    for module_name in IMPORTED:
        module = importlib.import_module(module_name)
        prefix = "" if module_name == "builtins" else f"{module_name}."
        for name in sorted(vars(module)):
            value = getattr(module, name)
            if not name.startswith("_") and callable(value):
                yield from _passage(prefix + name, getattr(value, "__doc__", None) or "")
                for method in sorted(vars(value)) if isinstance(value, type) else ():
                    if not method.startswith("_"):
                        yield from _passage(
                            f"{prefix}{name}.{method}", getattr(getattr(value, method), "__doc__", None) or ""
                        )


def _library() -> Iterator[tuple[str, str]]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        private = any(part.startswith("_") and part != "__init__" for part in parts)
        if private or parts[0] in LEFT_OUT or parts[0] not in sys.stdlib_module_names:
            continue
        module = ".".join(part for part in parts if part != "__init__")
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, OSError):
            continue
        yield from _docstrings(module, tree)


def _docstrings(prefix: str, node: ast.Module | ast.ClassDef) -> Iterator[tuple[str, str]]:
    yield from _passage(prefix, ast.get_docstring(node) or "")
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not child.name.startswith("_"):
            name = f"{prefix}.{child.name}"
            if isinstance(child, ast.ClassDef):
                yield from _docstrings(name, child)
            else:
                yield from _passage(name, ast.get_docstring(child) or "")


def _passage(name: str, text: str) -> Iterator[tuple[str, str]]:
    text = " ".join(text.split())
    if len(text) > LONGEST:
        cut = text.rfind(". ", SHORTEST, LONGEST)
        text = text[: cut + 1] if cut > 0 else text[:LONGEST]
    if len(text) >= SHORTEST:
        yield name, text
