"""The house keeps its order: a small surface, rooms that import upwards, short files, a fast door."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import xetrieval

SOURCE = Path(xetrieval.__file__).parent
ROOMS = (  # each imports only from rooms before it
    ("text",),
    ("errors",),
    ("registry",),
    ("extras", "options", "progress", "records", "views"),
    ("configs",),
    ("arrays",),
    ("intervals", "terms"),
    ("files",),
    ("identity",),
    ("data",),
    ("remote",),
    ("encoders", "llm"),
    ("teachers", "internalizer", "sae"),
    ("features",),
    ("steer",),
    ("explain",),
    ("labels",),
    ("fitting",),
    ("render",),
    ("index",),
    ("release",),
    ("evaluate",),
    ("serve",),
    ("connect",),
    ("cli",),
)
DRAWS_ITSELF = ("explain/printing.py", "render")  # print(explanation): the one import that points the other way
CORE = ("attribution", "reading", "support", "token_shares")  # of explain: arrays in, numbers out
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def modules() -> list[Path]:
    return [path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem not in ("__init__", "__main__")]


def imported_rooms(path: Path) -> set[str]:
    depth = len(path.relative_to(SOURCE).parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
    return found


@pytest.mark.slow
def test_each_room_imports_only_from_rooms_above_it() -> None:
    wrong = [
        f"{path.relative_to(SOURCE)} imports {other}"
        for path in modules()
        for room in [path.relative_to(SOURCE).parts[0].removesuffix(".py")]
        for other in imported_rooms(path) - {room, "__version__"}
        if LEVEL[other] >= LEVEL[room] and (path.relative_to(SOURCE).as_posix(), other) != DRAWS_ITSELF
    ]
    assert not wrong


def test_the_core_knows_no_text_and_no_encoder() -> None:
    core = [path for room in ("sae", "internalizer", "steer") for path in (SOURCE / room).rglob("*.py")]
    for path in [*core, *(SOURCE / "explain" / f"{name}.py" for name in CORE)]:
        assert not imported_rooms(path) & {"encoders", "data", "teachers", "cli"}, path


@pytest.mark.slow
def test_the_root_holds_no_scripts_or_logs() -> None:
    root = SOURCE.parents[1]
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    stray = [name for name in listed.stdout.splitlines() if "/" not in name and name.endswith((".py", ".log", ".sh"))]
    assert not stray


def test_files_stay_short_and_the_library_prints_nothing() -> None:
    root = SOURCE.parents[1]
    beside = [path for room in ("tests", "paper", "benchmarks", "examples") for path in (root / room).rglob("*.py")]
    for path in (*modules(), *beside):
        assert len(path.read_text().splitlines()) <= 400, path
    for path in modules():
        text = path.read_text()
        if "cli" not in path.parts:
            assert not [
                n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"
            ], path


@pytest.mark.slow
def test_functions_stay_short_and_take_few_parameters() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path}: {node.name}"
                if "cli" not in path.parts:
                    assert len(node.args.args) <= 10, f"{path}: {node.name}"


def public_functions(parts: list[ast.stmt]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a module and the methods of its classes, without private ones."""
    out: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
    for part in parts:
        if isinstance(part, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not part.name.startswith("_"):
            out += public_functions(part.body) if isinstance(part, ast.ClassDef) else [part]
    return out


def test_public_signatures_say_what_they_take_and_return() -> None:
    """Any stands only for what a JSON object, an array or a row of a database contains."""
    content = re.compile(r"(dict|Mapping)\[str, Any\]|(NDArray|np\.dtype|np\.integer)\[Any\]|tuple\[Any, \.\.\.\]")
    for path in modules():
        if "kernels" in path.parts:  # numba's compiled functions
            continue
        for function in public_functions(ast.parse(path.read_text()).body):
            taken = function.args
            named = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg]
            hints = [one.annotation for one in named if one is not None] + [function.returns]
            texts = [content.sub("", ast.unparse(hint)) for hint in hints if hint is not None]
            assert not [text for text in texts if re.search(r"\bAny\b", text)], f"{path}: {function.name}"


def test_the_surface_is_this_list() -> None:
    assert xetrieval.__all__ == [
        "BuildConfig",
        "Contrast",
        "Corpus",
        "Encoder",
        "Explainer",
        "Explanation",
        "FitConfig",
        "Index",
        "SteeringProfile",
        "build_index",
        "errors",
        "fit",
        "load",
        "open_encoder",
        "open_index",
    ]
    assert all(callable(getattr(xetrieval, name)) for name in xetrieval.__all__ if name != "errors")
    assert issubclass(xetrieval.errors.InputError, xetrieval.errors.XetrievalError)
    assert xetrieval.index.open_index is xetrieval.open_index, "a room is there without an import of its own"
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        xetrieval.absent  # noqa: B018


def test_help_and_import_load_no_model_code() -> None:
    script = (
        "import sys, xetrieval\n"
        "assert 'numpy' not in sys.modules\n"
        "from xetrieval.cli.app import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'sentence_transformers', 'scipy', 'numpy', 'httpx2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "explain" in done.stdout


def test_explaining_vectors_needs_no_torch() -> None:
    script = (
        "import sys\nsys.modules['torch'] = None\n"
        "import numpy as np, xetrieval\n"
        "x = np.random.default_rng(0).standard_normal((2, 384))\n"
        "pairs = xetrieval.load('minilm').explain_vectors(x, x)\n"
        "assert abs(pairs[0].score - 1) < 1e-5\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
