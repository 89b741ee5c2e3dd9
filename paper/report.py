"""Figures and tables, drawn from the results."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

from xetrieval.errors import DamagedError, InputError
from xetrieval.files import write_text

ORDER = ("table1", "table1_written", "fig3", "fig4", "fig5", "fig6", "fig7", "fig8", "cases")


def draw_all(results: Path) -> None:
    """Draw results/NAME.png for every result that has a figure, and tables.md for all results."""
    parts = ["# Tables\n\nDrawn by `python -m paper --draw` from the JSON files beside this one.\n"]
    for name in ORDER:
        path = results / f"{name}.json"
        if not path.is_file():
            continue
        try:
            parts += drawn(name, path)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DamagedError(f"{path}: not JSON ({error}); measure it again") from error
        except (KeyError, TypeError) as error:
            raise DamagedError(
                f"{path}: written by another version of this step ({error}); measure it again"
            ) from error
    if len(parts) == 1:
        raise InputError(f"{results}: no results to draw; run the steps first")
    write_text(results / "tables.md", "\n".join(parts))


def drawn(name: str, path: Path) -> list[str]:
    """Draw one result; return its section of tables.md."""
    result, module = json.loads(path.read_text(encoding="utf-8")), importlib.import_module(f"paper.{name}")
    figures, facts = result["figures"], result["facts"]
    parts = [f"## {str(module.__doc__).splitlines()[0]}\n\n{module.table(figures)}"]
    if hasattr(module, "draw"):
        module.draw(figures, path.with_suffix(".png"))
        parts.append(f"![{name}]({name}.png)\n")
    machine = facts["hardware"]
    return [*parts, f"{facts['seconds']} s on {machine['cores']} cores ({machine['processor']}).\n"]
