"""An explanation on the screen or in a file: text, JSON, Markdown or a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..text import printable
from .console import as_json, output_console, print_message, write
from .options import ReportFormat

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..explain import Contrast, Explanation


def check_output(output: Path | None, *sources: Path | None) -> None:
    """Before any work, refuse an output that cannot be written or that is also an input."""
    from ..files import check_apart, check_file

    if output is not None:
        check_apart(output, *sources)
        check_file(output)


def show(
    result: Explanation | Contrast,
    top: int | None,
    format: ReportFormat,
    output: Path | None,
    notes: Sequence[str] = (),
) -> None:
    """Print or write a result; `notes` are lines for people; in JSON they are fields of the result."""
    from rich.text import Text

    from ..explain import Explanation
    from ..explain.release_format import release_record
    from ..render.markdown import markdown
    from ..render.page import page
    from ..render.text import table_of

    if format is ReportFormat.json:
        text = f"{as_json(result.top(top).to_dict())}\n"
    elif format is ReportFormat.release:
        if not isinstance(result, Explanation) or result.mode != "dense":
            raise InputError("--format release is for the explanation of one dense score, without another document")
        if result.chunk is not None or any(term.evidence for term in result.terms):
            raise InputError("--format release has no fields for evidence and chunks; use --format json")
        text = f"{as_json(release_record(result.top(top)))}\n"
    elif format is ReportFormat.html:
        text = page(result, top, notes)
    elif format is ReportFormat.markdown:
        text = markdown(result, top, notes)
    else:
        print_parts([table_of(result, top), *(Text(printable(note)) for note in notes)], output)
        return
    write_output(text, output)


def print_parts(parts: Iterable[RenderableType], output: Path | None) -> None:
    """Print tables and lines one after the other, or write them to a file as plain text."""
    from ..render.text import without_colour

    if output is not None:
        write_output(without_colour(*parts), output)
        return
    console = output_console()
    for part in parts:
        console.print(part)


def write_output(text: str, output: Path | None) -> None:
    """Write to standard output, or to a file: completely or not at all."""
    from ..files import is_stream, write_bytes

    if output is None:
        write(text)
    else:
        write_bytes(output, text.encode())
        if not is_stream(output):
            print_message(f"written to {output}")
