"""Write what the documentation takes from the code: four references, and the output of shown commands.

    python docs/make_references.py            write them
    python docs/make_references.py --check    exit with 1 if they differ from what is committed

The references are docs/cli.md, docs/reference.md (Python), docs/http.md and docs/json.md; the last two come from
web/openapi.json. The commands of a console block after a line `<!-- run -->` are run, as on a terminal of 100 columns,
and their output is put into the block.
"""

from __future__ import annotations

import ast
import contextlib
import enum
import inspect
import io
import json
import os
import re
import shlex
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

import xetrieval
from xetrieval.cli.app import app, main

DOCS = Path(__file__).resolve().parent
MADE = "<!-- Made by docs/make_references.py (make references); edit the docstrings instead. -->"
SHOWN = re.compile(r"(?<=<!-- run -->\n```console\n).*?(?=```)", re.DOTALL)


def commands() -> Iterator[tuple[str, typing.Any]]:
    """Every command of the command line with its full name, in the order of the help."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        yield from ([(name, command)] if below is None else [(f"{name} {sub}", leaf) for sub, leaf in below.items()])


def cli_page() -> str:
    """docs/cli.md."""
    lines = ["# Commands and options", "", MADE, "", "`xetrieval --help` and every command's `--help` show the same."]
    for name, command in commands():
        lines += ["", f"## xetrieval {name}", "", inspect.cleandoc(command.help or "")]
        types = _choices(command.callback)
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and not p.hidden and p.name != "help"]
        for title, rows in (
            ("argument", [(_argument(p), _cell(p.help or "")) for p in arguments]),
            ("option", [(_option(p), _cell(_help(p, types.get(p.name, [])))) for p in options]),
        ):
            if rows:
                lines += ["", f"| {title} | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)]
    return "\n".join(lines) + "\n"


def _argument(param: typing.Any) -> str:
    name = (param.metavar or param.name).strip("[]{}.").upper() + ("..." if param.nargs == -1 else "")
    return f"`{name}`" if param.required else f"`[{name}]`"


def _option(param: typing.Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    return names if param.is_flag else f"{names} {(param.metavar or param.name).strip('<>').upper()}"


def _help(param: typing.Any, choices: list[str]) -> str:
    default = param.default.value if isinstance(param.default, enum.Enum) else param.default
    help_text = param.help or ""
    notes = [f"One of {', '.join(choices)}."] if not all(choice in help_text for choice in choices) else []
    notes += [f"Default: {default}."] if default not in (None, False, "", [], ()) and not callable(default) else []
    notes += ["May be repeated."] if param.multiple and "repeat" not in help_text else []
    return " ".join([help_text if help_text.endswith((".", ")")) or not notes else f"{help_text}.", *notes])


def _choices(callback: Callable[..., object]) -> dict[str, list[str]]:
    """The values of parameters that take one of a few."""
    found = {}
    for name, hint in typing.get_type_hints(callback).items():
        for one in (hint, *typing.get_args(hint)):
            if isinstance(one, type) and issubclass(one, enum.Enum):
                found[name] = [str(member.value) for member in one]
    return found


def reference_page() -> str:
    """docs/reference.md."""
    lines = ["# Python reference", "", MADE, "", "Everything that `import xetrieval` promises, and nothing else."]
    for name in xetrieval.__all__:
        item = getattr(xetrieval, name)
        lines += ["", f"## {name}", ""]
        if inspect.ismodule(item):
            lines += [_docstring(item)]
        elif inspect.isclass(item):
            lines += [*_signature(name, item), _docstring(item), *_members(item)]
        else:
            lines += [*_signature(name, item), _docstring(item)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _members(owner: type) -> list[str]:
    fields = _fields(owner)
    rows = [f"| `{name}: {_cell(typed)}` | {_cell(comment)} |" for name, typed, comment in fields if comment]
    lines = ["", "| field | |", "|---|---|", *rows] if rows else []
    for name, raw in vars(owner).items():
        if name.startswith("_") or name in {field for field, _, _ in fields} or not getattr(raw, "__doc__", None):
            continue
        member = getattr(raw, "func", raw)  # a cached property
        title = f"{owner.__name__}.{name}"
        if isinstance(raw, property) or member is not raw:
            lines += ["", f"### {title}", "", _docstring(raw)]
        elif callable(member) or isinstance(raw, classmethod | staticmethod):
            lines += ["", f"### {title}()", "", *_signature(name, getattr(owner, name)), _docstring(member)]
    return lines


def _fields(owner: type) -> list[tuple[str, str, str]]:
    """Name, type and comment of the annotated fields that a class declares."""
    source = textwrap.dedent(inspect.getsource(owner))
    rows, body = source.splitlines(), ast.parse(source).body[0]
    found = []
    for node in typing.cast(ast.ClassDef, body).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_"):
            comment = re.search(r"  # (.*)$", rows[(node.end_lineno or node.lineno) - 1])
            kind, option = _annotated(node.annotation)
            found.append((node.target.id, ast.unparse(kind), option or (comment[1] if comment else "")))
    return found


def _annotated(annotation: ast.expr) -> tuple[ast.expr, str]:
    """A type, and the help of the option that it is on the command line, if it is one."""
    if not isinstance(annotation, ast.Subscript) or ast.unparse(annotation.value) != "Annotated":
        return annotation, ""
    kind, *details = typing.cast(ast.Tuple, annotation.slice).elts
    options = [one for one in details if isinstance(one, ast.Call) and ast.unparse(one.func) == "Option"]
    kind = ast.Name("int") if ast.unparse(kind) == "Seed" else kind
    return kind, str(ast.literal_eval(options[0].args[0])) if options else ""


def _signature(name: str, item: Callable[..., object]) -> list[str]:
    try:
        signature = inspect.signature(item)
    except ValueError:
        return []
    if set(signature.parameters) == {"args", "kwargs"}:
        return []
    parts: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.name.startswith("_") or parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        typed = "" if parameter.annotation is parameter.empty else f": {_type(str(parameter.annotation))}"
        default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
        parts.append(f"{star}{parameter.name}{typed}{default}")
    untyped = inspect.isclass(item) or signature.return_annotation is signature.empty
    returned = "" if untyped else f" -> {signature.return_annotation}"
    one_line = f"{name}({', '.join(parts)}){returned}"
    if len(one_line) > 100:
        one_line = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returned}"
    return ["```python", one_line, "```", ""]


def _type(annotation: str) -> str:
    return ast.unparse(_annotated(ast.parse(annotation, mode="eval").body)[0])


def _default(value: object) -> str:
    return "..." if type(value).__module__ not in ("builtins", "pathlib") or callable(value) else repr(value)


def _docstring(item: object) -> str:
    """A docstring as Markdown: `Args:` and `Raises:` become lists."""
    out, section = [], False
    for line in (inspect.getdoc(item) or "").splitlines():
        if re.fullmatch(r"(Args|Raises|Attributes|Returns):", line):
            section = True
            out += ["", f"**{line[:-1]}**", ""]
        elif section and line.startswith("    "):
            text = line.strip()
            out.append(f"- {text}" if not line.startswith("     ") else f"  {text}")
        else:
            section = section and not line
            out.append(line)
    return "\n".join(out)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def http_page() -> str:
    """docs/http.md."""
    lines = ["# HTTP routes", "", MADE, "", "Limits, access and errors: [HTTP API](api.md). Answers: [JSON](json.md)."]
    for path, methods in _openapi()["paths"].items():
        for method, route in methods.items():
            lines += ["", f"## {method.upper()} {path}", "", route["description"]]
            rows = [(p["name"], p["schema"] | p, p["required"]) for p in route.get("parameters", [])]
            if "requestBody" in route:
                body = _schemas()[_content(route["requestBody"])["$ref"].split("/")[-1]]
                rows += [(name, one, name in body.get("required", ())) for name, one in body["properties"].items()]
            if rows:
                lines += ["", "| parameter | type | |", "|---|---|---|"]
            for name, one, required in rows:
                default = f"Default: `{json.dumps(one['default'])}`." if one.get("default") is not None else ""
                text = f"{'Required. ' if required else ''}{one.get('description', '')}"
                lines += [f"| `{name}` | {_json_type(one)} | {_cell(f'{text} {default}')} |"]
            answer = route["responses"].get("200", {}).get("content", {})
            kind = _json_type(answer["application/json"]["schema"]) if "application/json" in answer else "a page"
            lines += ["", f"Answer: {kind}"]
    return "\n".join(lines) + "\n"


def json_page() -> str:
    """docs/json.md."""
    lines = ["# JSON objects", "", MADE, "", "Output of `--format json`, of `to_dict()` and of the HTTP API, by type."]
    lines += ["[The JSON of an explanation](reading-an-explanation.md#the-json) is described there in more detail."]
    comments = _comments()
    for name, schema in _schemas().items():
        if name.endswith("Request"):
            continue  # in docs/http.md
        known = comments.get(name, {})
        lines += ["", f"## {name}", "", re.split(r"\n\n(Raises|Args):", schema.get("description", ""))[0]]
        lines += ["", "| field | type | |", "|---|---|---|"]
        for field, one in schema["properties"].items():
            optional = "" if field in schema.get("required", ()) else "May be absent."
            text = f"{one.get('description') or known.get(field, '')} {optional}"
            lines += [f"| `{field}` | {_json_type(one)} | {_cell(text)} |"]
    return "\n".join(lines) + "\n"


def _openapi() -> dict[str, typing.Any]:
    return json.loads((DOCS.parent / "web" / "openapi.json").read_text(encoding="utf-8"))


def _schemas() -> dict[str, dict[str, typing.Any]]:
    return _openapi()["components"]["schemas"]


def _content(part: dict[str, typing.Any]) -> dict[str, typing.Any]:
    return part["content"]["application/json"]["schema"]


def _json_type(schema: dict[str, typing.Any]) -> str:
    """A type in words: `list of [Term](json.md#term)`, `number or null`."""
    if "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        return f"[{name}](json.md#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_json_type(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_json_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_json_type(schema['additionalProperties'])}"
    return str(schema.get("type") or json.dumps(schema.get("const", "any value")).strip('"'))


def _comments() -> dict[str, dict[str, str]]:
    """What the source says of the fields and properties of each class."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted((DOCS.parent / "src" / "xetrieval").rglob("*.py")):
        rows = (text := path.read_text(encoding="utf-8")).splitlines()
        for owner in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)):
            fields = found.setdefault(owner.name, {})
            for node in owner.body:
                comment = re.search(r"  # (.*)$", rows[(node.end_lineno or node.lineno) - 1])
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and comment:
                    fields.setdefault(node.target.id, comment[1])
                elif isinstance(node, ast.FunctionDef):
                    fields.setdefault(node.name, (ast.get_docstring(node) or "").partition("\n\n")[0])
    return found


def with_output(page: str) -> str:
    """A page with the commands of its blocks marked `<!-- run -->` run again."""
    return SHOWN.sub(lambda block: "".join(_shown(command) for command in _commands_of(block[0])), page)


def _commands_of(block: str) -> list[str]:
    return re.findall(r"^\$ ((?:.*\\\n)*.*)\n", block, flags=re.MULTILINE)


def _shown(command: str) -> str:
    arguments = shlex.split(command.replace("\\\n", ""))
    if arguments[0] != "xetrieval":
        raise SystemExit(f"only xetrieval is run, not: {command}")
    output = io.StringIO()
    sys.argv = arguments
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        main()
    lines = "".join(f"{line.rstrip()}\n" for line in output.getvalue().splitlines())
    return f"$ {command}\n{lines}"


REFERENCES = {"cli.md": cli_page, "reference.md": reference_page, "http.md": http_page, "json.md": json_page}


def pages() -> dict[Path, str]:
    """Every page that is made, or holds output that is, with its content."""
    made = {DOCS / name: page() for name, page in REFERENCES.items()}
    for path in (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))):
        if SHOWN.search(text := path.read_text()):
            made[path] = with_output(text)
    return made


if __name__ == "__main__":
    os.environ |= {"COLUMNS": "100", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if "--check" not in sys.argv[1:]:
        for path in stale:
            path.write_text(pages()[path])
    sys.stdout.writelines(f"{path.relative_to(DOCS.parent)}\n" for path in stale)
    sys.exit(bool(stale) and "--check" in sys.argv[1:])
