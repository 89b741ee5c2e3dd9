"""Count the types, conversions, signatures and lines of src at one or more revisions; writes count_homes.json.

    python benchmarks/count_homes.py [REVISION ...]      default: HEAD; each is read through `git archive`

Types that carry records, hand-written conversions to JSON, long signatures, long files and lines of src.
`moved_out_lines` counts what left src for paper/kit: these lines are elsewhere, not saved.
"""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = Path(__file__).with_suffix(".json")
SOURCE, MOVED, KERNELS = "src/xetrieval/", "paper/kit/", "sae/kernels/"
NEW_IN_KIT = ("__init__.py", "results.py")  # written for paper/, never part of src
MOST_PARAMETERS, MOST_LINES, LONGEST_FUNCTION = 7, 400, 60
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    known = json.loads(OUTPUT.read_text()) if OUTPUT.is_file() else {}
    for revision in sys.argv[1:] or ["HEAD"]:
        commit = git("rev-parse", "--short", revision).decode().strip()
        known[commit] = counts(revision)
        print(commit, json.dumps(known[commit], indent=1))
    OUTPUT.write_text(json.dumps(known, indent=1) + "\n")


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def python_files(revision: str) -> Iterator[tuple[str, str]]:
    """(path, text) of every Python file of a revision."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", revision))) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".py"):
                file = archive.extractfile(member)
                assert file is not None
                yield member.name, file.read().decode()


def counts(revision: str) -> dict[str, int]:
    """The counts of one revision."""
    names = (
        *("files", "lines", "moved_out_lines", "named_tuples", "dataclasses", "typed_dicts", "to_dicts"),
        *("functions_of_more_than_7_parameters", "functions_of_more_than_60_lines", "files_of_more_than_400_lines"),
        *("positional_booleans", "public_signatures_with_any"),
    )
    found: Counter[str] = Counter(dict.fromkeys(names, 0))
    for path, text in python_files(revision):
        lines = text.count("\n")
        if path.startswith(MOVED) and path.removeprefix(MOVED) not in NEW_IN_KIT:
            found["moved_out_lines"] += lines
        if not path.startswith(SOURCE):
            continue
        found.update(files=1, lines=lines, files_of_more_than_400_lines=lines > MOST_LINES)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found.update(kinds(node))
            elif isinstance(node, Function):
                found.update(signature(node, kernel=KERNELS in path))
    return dict(found)


def kinds(node: ast.ClassDef) -> Iterator[str]:
    """What a class is, by its bases and decorators."""
    bases = {ast.unparse(base).split(".")[-1].split("[")[0] for base in node.bases}
    if "NamedTuple" in bases:
        yield "named_tuples"
    if "TypedDict" in bases:
        yield "typed_dicts"
    if any(ast.unparse(one).split("(")[0].endswith("dataclass") for one in node.decorator_list):
        yield "dataclasses"


def signature(node: Function, *, kernel: bool) -> Iterator[str]:
    """What is wrong with a function's signature or size. Commands count too: their options are parameters."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    own = [one for one in arguments if one.arg not in ("self", "cls")]
    if node.name == "to_dict":
        yield "to_dicts"
    if len(own) > MOST_PARAMETERS and not kernel:
        yield "functions_of_more_than_7_parameters"
    if node.end_lineno is not None and node.end_lineno - node.lineno >= LONGEST_FUNCTION:
        yield "functions_of_more_than_60_lines"
    public = not node.name.startswith("_")
    positional = [*node.args.posonlyargs, *node.args.args]
    if public and any(one.annotation is not None and ast.unparse(one.annotation) == "bool" for one in positional):
        yield "positional_booleans"
    annotations = [one.annotation for one in own] + [node.returns]
    if public and any(one is not None and ast.unparse(one) == "Any" for one in annotations):
        yield "public_signatures_with_any"


if __name__ == "__main__":
    main()
