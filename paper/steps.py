"""The steps of a config, and which of them are done."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xetrieval.errors import InputError
from xetrieval.files import digest_of, write_text

HERE = Path(__file__).resolve().parent
TRAINED_FROM = {"corpus", "taught", "teachers", "internalizer", "sae", "seeds", "sweep"}
SHARED = {"about", "seed", "models", "encoders", "main", "judge", "llm", "sets"} | TRAINED_FROM


@dataclass(frozen=True)
class Steps:
    """The steps of a config, in order, and their work folder."""

    config: dict[str, Any]
    work: Path
    names: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, work: Path, only: list[str] | None = None) -> Steps:
        """Read the steps of a config file, or some of them.

        Raises:
            InputError: no such file, not a config, or an unknown step.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such config; give small, paper or a file")
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            steps = dict(config["steps"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a config: {error}") from error
        if lacking := sorted(SHARED - config.keys()):
            raise InputError(f"{path}: lacks {', '.join(lacking)}; small.json has them all")
        for name in [*steps, *(only or ())]:
            if name not in steps or not (HERE / f"{name}.py").is_file():
                raise InputError(f"{path}: no step {name!r}; it has {', '.join(steps)}")
        return cls(config, work, tuple(name for name in steps if only is None or name in only))

    def todo(self) -> list[str]:
        """The unfinished steps."""
        return [name for name in self.names if not self._mark(name).is_file()]

    def finish(self, name: str, seconds: float) -> None:
        """Mark a step as done."""
        self._mark(name).parent.mkdir(parents=True, exist_ok=True)
        write_text(self._mark(name), json.dumps({"step": name, "seconds": round(seconds)}) + "\n")

    def seconds(self, name: str) -> int | None:
        """How long a finished step took, else None."""
        mark = self._mark(name)
        return int(json.loads(mark.read_text(encoding="utf-8"))["seconds"]) if mark.is_file() else None

    def _mark(self, name: str) -> Path:
        """A file named by a hash of the step's code and config."""
        made = digest_of([what_it_does(HERE / f"{name}.py"), self.config["steps"][name]])
        return made_folder(self.config, self.work) / "done" / f"{name}-{made[:12]}.json"


def made_folder(config: dict[str, Any], work: Path) -> Path:
    """work/HASH of what all steps share: the config without single steps, and the code of `encode` and `train`."""
    shared = {key: value for key, value in config.items() if key not in ("steps", "about")}
    return work / digest_of([shared, *(what_it_does(HERE / f"{name}.py") for name in ("encode", "train"))])[:12]


def what_it_does(script: Path) -> str:
    """The code of a script without comments, `draw` and `table`, which measure nothing."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    kept = [node for node in tree.body if getattr(node, "name", "") not in ("draw", "table")]
    return ast.unparse(ast.Module(kept[1:], []))  # the first is the docstring
