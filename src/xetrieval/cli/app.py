"""All commands, and how their errors are reported."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final, NoReturn

import typer

from .. import __version__
from ..errors import InputError, XetrievalError, XetrievalWarning
from ..text import clip
from .check import check
from .compare import compare
from .console import print_line, print_message, use_utf8, write
from .demo import demo
from .doctor import doctor
from .evaluate import app as evaluate
from .explain import explain
from .export import export
from .features import features
from .fit import fit
from .info import info
from .internalizer import app as internalizer
from .label import app as label
from .nuisance import app as index
from .release import import_release
from .sae import app as sae
from .search import search, why
from .serve import mcp, serve
from .shared import Commands
from .steer_edit import app as steer
from .teach import teach

app = Commands(
    help="Explain dense retrieval: named features whose shares add up to the score.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _show_version(show: bool) -> None:  # noqa: FBT001  # typer calls it like this
    if show:
        print_line(f"xetrieval {__version__}")
        raise typer.Exit


@app.callback()
def _whole(
    *,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Explain dense retrieval: named features whose shares add up to the score."""


app.command()(explain)
app.command()(demo)
app.command()(search)
app.command()(why)
app.command()(check)
app.command()(compare)
app.command()(doctor)
app.command()(serve)
app.command()(mcp)
app.command()(fit)
app.command()(export)
app.command()(teach)
app.command()(info)
app.command()(features)
app.command("import-release")(import_release)
app.add_typer(index, name="index")
app.add_typer(steer, name="steer")
app.add_typer(internalizer, name="internalizer")
app.add_typer(sae, name="sae")
app.add_typer(label, name="label")
app.add_typer(evaluate, name="evaluate")


INTERRUPTED: Final = 130
STOPPED: Final = "xetrieval: interrupted; run the same command again to resume"
UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[1]  # typer's error when it cannot parse


def main() -> None:
    """Run the command line. Bad input is one line on standard error and exit code 2."""
    # OpenBLAS's threads keep spinning after a product and slow down what follows; NumPy reads this when it loads.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "10")
    if os.environ.get("COLUMNS", "").strip("0") == "":
        os.environ.pop("COLUMNS", None)  # at a width of 0, nothing would be readable
    use_utf8()
    try:
        _check_arguments(sys.argv[1:])
        with _warnings_as_lines():
            code = app(prog_name="xetrieval", standalone_mode=False)
    except UsageError as error:
        _refuse_usage(error)
    except XetrievalError as error:
        _refuse(str(error))
    except typer.Abort as error:  # typer raises it at the end of the input
        _refuse("the input ended too early" if isinstance(error.__cause__, EOFError) else "aborted")
    except KeyboardInterrupt:  # outside typer
        print_message(STOPPED)
        sys.exit(INTERRUPTED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _refuse(f"{where}{error.strerror or error}")
    else:
        if code == INTERRUPTED:  # typer turns Ctrl-C into this code and prints nothing
            print_message(STOPPED)
        if isinstance(code, int) and code:
            sys.exit(code)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print the library's own warnings as one line each on standard error, and all others as Python does."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
            if issubclass(category, XetrievalWarning):
                print_message(f"xetrieval: warning: {message}")
            else:
                others(message, category, *rest)

        warnings.simplefilter("default", XetrievalWarning)
        warnings.showwarning = show  # type: ignore[assignment]  # the arguments that it does not use
        yield


def _check_arguments(arguments: Sequence[str]) -> None:
    """Raise InputError for an argument that is not UTF-8: Python turns such bytes into lone surrogates."""
    if all(map(str.isascii, arguments)):
        return
    from ..files import is_whole

    for position, argument in enumerate(arguments, 1):
        if not is_whole(argument):
            shown = clip(ascii(argument), 80)
            raise InputError(f"argument {position}, {shown}: not UTF-8")


def _refuse_usage(error: Exception) -> NoReturn:
    """Report, in one line, what typer cannot parse, or print the help if typer asks for it."""
    message = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # the message is the help, if not yet printed
        if message.strip():
            write(f"{message}\n")
        sys.exit(2)
    help_of = f" (see {context.command_path} --help)" if context is not None else ""
    _refuse(f"{clip(message.rstrip('.'))}{help_of}")


def _refuse(message: str) -> NoReturn:
    print_message(f"xetrieval: {clip(message)}")
    sys.exit(2)
