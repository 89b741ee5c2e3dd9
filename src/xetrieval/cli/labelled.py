"""The target of `xetrieval label`: an explainer with a folder of examples, or an index, which has its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..configs import Option
from ..errors import InputError
from .progress import progress_bar

if TYPE_CHECKING:
    from ..explain import Explainer
    from ..index import Index
    from ..labels.examples import ExampleFolder
    from ..labels.relabel import LabelTarget, NewLabel

LabelledArgument = Annotated[
    str, typer.Argument(metavar="EXPLAINER", help="Folder of an index or of an explainer, or minilm.")
]
ExamplesOption = Annotated[
    Path | None, Option("What `xetrieval label examples` wrote; default for an index: its own documents.")
]


@dataclass(frozen=True)
class Labelled:
    """An explainer, and its index if it is part of one."""

    source: str
    explainer: Explainer
    index: Index | None

    def target(self, output: Path | None) -> LabelTarget:
        """Where labels go.

        Raises:
            InputError: the target is an index, but there is an output folder.
        """
        from ..index.build.labelled import IndexTarget
        from ..labels.relabel import FolderTarget

        if self.index is None:
            return FolderTarget(self.source, output)
        if output is not None:
            raise InputError("labels of an index are changed in place; omit --output")
        return IndexTarget(self.index.folder)

    def examples(self, folder: Path | None) -> ExampleFolder:
        """Examples of the features, from a folder or from the index's own documents.

        Raises:
            InputError: an explainer without a folder. MismatchError: examples of a different autoencoder.
        """
        from ..index.ask.examples import examples_in
        from ..labels.examples import load_examples

        if folder is not None:
            loaded = load_examples(folder)
            loaded.check(self.explainer.sae.digest, str(folder))
            return loaded
        if self.index is None:
            raise InputError("give --examples, a folder from `xetrieval label examples`; only an index has its own")
        with progress_bar() as progress:
            return examples_in(self.index, progress)

    def gated(self, labels: list[NewLabel]) -> list[NewLabel]:
        """Labels; in an index, with the smallest cosine at which they are shown."""
        from ..index.ask.examples import nearness_in

        if self.index is None:
            return labels
        near = nearness_in(self.index, [one.label for one in labels if one.label])
        return [one._replace(near_from=_rounded(near.get(one.label or ""))) for one in labels]


def open_labelled(source: str) -> Labelled:
    """The index or the explainer of that name."""
    from ..explain import load
    from ..files import kind_of
    from ..index import open_index
    from ..index.store.layout import KIND

    index = open_index(source) if kind_of(source) == KIND.format else None
    return Labelled(source, load(source) if index is None else index.explainer, index)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
