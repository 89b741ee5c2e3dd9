"""An explanation on the screen or in a file: text, JSON, Markdown or a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .console import as_json, give, output_console, say
from .options import ReportFormat

if TYPE_CHECKING:
    from rich.console import Console

    from ..explain import Contrast, Explanation

FILE_WIDTH: Final = 100  # characters of a line in a text file


def check_output(output: Path | None, *sources: Path | None) -> None:
    """Refuse, before any work, a file that cannot be written or that is an input."""
    from ..files import check_apart, check_file

    if output is not None:
        check_file(output)
        check_apart(output, *sources)


def show(
    result: Explanation | Contrast,
    top: int | None,
    format: ReportFormat,
    output: Path | None,
    notes: Sequence[str] = (),
) -> None:
    """Print or write a result; `notes` are lines about it for people: JSON has its own fields for them."""
    from ..errors import InputError
    from ..explain import DEFAULT_TOP, Explanation
    from ..explain.release_format import release_record
    from ..render.markdown import markdown
    from ..render.page import page
    from ..render.text import table_of
    from ..text import printable

    terms = DEFAULT_TOP if top is None else top
    if format is ReportFormat.json:
        text = f"{as_json(result.top(top).to_dict())}\n"
    elif format is ReportFormat.release:
        if not isinstance(result, Explanation) or result.mode != "dense":
            raise InputError(
                "--format release needs the explanation of one dense score; give no --over and no other mode"
            )
        text = f"{as_json(release_record(result.top(top)))}\n"
    elif format is ReportFormat.html:
        text = page(result, terms, notes)
    elif format is ReportFormat.markdown:
        text = markdown(result, terms, notes)
    else:
        with text_console(output) as console:
            console.print(table_of(result, terms))
            for note in notes:
                console.print(printable(note))
        return
    write_output(text, output)


@contextmanager
def text_console(output: Path | None) -> Iterator[Console]:
    """The screen, or a console whose plain text becomes the file `output`."""
    if output is None:
        yield output_console()
        return
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=FILE_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        yield console
    write_output("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()), output)


def write_output(text: str, output: Path | None) -> None:
    """Write to standard output, or to a file: completely or not at all."""
    from ..files import is_stream, write_bytes

    if output is None:
        give(text)
    else:
        write_bytes(output, text.encode())
        if not is_stream(output):
            say(f"written to {output}")
