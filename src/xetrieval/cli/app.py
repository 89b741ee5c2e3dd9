"""The commands, and what every one of them does with an error."""

from __future__ import annotations

import os
import sys

import typer

from ..errors import XetrievalError
from .demo import demo
from .doctor import doctor
from .evaluate import app as evaluate
from .explain import explain
from .features import features
from .fit import fit
from .index import app as index
from .info import info
from .internalizer import app as internalizer
from .label import app as label
from .release import import_release
from .sae import app as sae
from .search import search, why
from .serve import serve
from .steer import app as steer
from .teach import teach

app = typer.Typer(
    help="Explain dense retrieval: named features whose shares add up to the score.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(explain)
app.command()(demo)
app.command()(search)
app.command()(why)
app.command()(doctor)
app.command()(serve)
app.command()(fit)
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


INTERRUPTED = 130


def main() -> None:
    """Run the command line. Bad input is one line on standard error and exit code 2."""
    # OpenBLAS's threads spin on after a product and take the processors from what comes next; read when NumPy loads.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "10")
    try:
        app()
    except XetrievalError as error:
        _refuse(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _refuse(f"{where}{error.strerror or error}")
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # typer turns Ctrl-C into this, without a word
            sys.stderr.write("xetrieval: interrupted; run the same command again to go on\n")
        raise


def _refuse(message: str) -> None:
    from ..explain.terminal import printable

    sys.stderr.write(f"xetrieval: {printable(message)}\n")
    sys.exit(2)
