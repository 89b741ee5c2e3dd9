"""xetrieval steer edit: what a change of a document's text does to its rank."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from ..configs import Option, Range
from ..errors import InputError
from .console import print_json, print_message
from .llm_options import LlmOptions, end
from .options import Format, FormatOption
from .output import print_parts
from .search import IndexArgument
from .steer_push import DocumentArgument, QueryArgument, app

__all__ = ["app"]


class AimChoice(StrEnum):
    """Whether a rewritten sentence should move the document up or down."""

    up = "up"
    down = "down"


@dataclass(frozen=True)
class EditOptions:
    """Which texts to try."""

    text: Annotated[
        str | None,
        Option("Check this whole text of the document, title first, instead; - reads it from standard input."),
    ] = None
    text_file: Annotated[Path | None, Option("The same, from a file; - is standard input.")] = None
    sentences: Annotated[int, Option("Leave out at most this many sentences, one at a time."), Range(1)] = 48
    send: Annotated[bool, Option("Allow sending these texts to an encoder on a server, which may cost money.")] = False
    rewrite: Annotated[
        AimChoice | None, Option("With --llm: rewrite a sentence to bring the document up (default) or down.")
    ] = None

    def new_text(self) -> str | None:
        """The text to check, if one is given."""
        from ..files import read_text
        from .streams import texts_or_input

        if self.text is not None and self.text_file is not None:
            raise InputError("give --text or --text-file, not both")
        if self.text_file is None or str(self.text_file) == "-":
            return texts_or_input(self.text if self.text_file is None else "-")[0]
        return read_text(self.text_file)


@app.command()
def edit(
    index: IndexArgument,
    query: QueryArgument,
    doc_id: DocumentArgument,
    options: EditOptions,
    llm: LlmOptions,
    format: FormatOption = Format.text,
) -> None:
    """Show what a change of a document's text does to its rank. The index stays as it is.

    Leaves out one sentence at a time, or checks a text that you give. Every changed text is encoded and ranked.
    """
    from ..index import open_index
    from ..index.ask.edit import EditTask
    from ..index.ask.rewrite import with_rewritten
    from ..index.ask.tables import edit_parts

    if llm.llm is None:
        llm.refuse("a run without it")
        if options.rewrite is not None:
            raise InputError("--rewrite needs --llm: a language model rewrites the sentence")
    text = options.new_text()
    if text is not None and llm.llm is not None:
        raise InputError("--text and --llm cannot be combined: give the text, or have a sentence rewritten")
    model = None if llm.llm is None else llm.open()
    task = EditTask.of(open_index(index), query, doc_id, text, options.sentences)
    task.check_sending(send=options.send)
    more = "" if model is None else ", then one with the rewritten sentence"
    count = len(set(task.texts))
    print_message(f"{count} text{'s' if count > 1 else ''} to encode{more}")
    found = task.run()
    if model is not None:
        aim = AimChoice.up if options.rewrite is None else options.rewrite
        found = with_rewritten(task, found, model, aim.value)
    if format is Format.json:
        print_json(found.to_dict())
    else:
        print_parts(edit_parts(found), None)
    end(model, None)
