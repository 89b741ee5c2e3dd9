"""Automatic judges, which fill in a sheet from its texts and names alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from ...encoders import Encoder, EncoderIdentity, read_texts
from ...errors import BudgetSpent, InputError
from ...files import parse_json
from ...labels.examples import PROMPTS, one_line
from ...labels.judges import check_judge
from ...llm import Answer, ChatModel, Checked, ask, in_parallel, object_schema, read_prompt
from ...progress import Progress, silent
from .sheet import VERDICTS, NameId, Sheet, SheetItem

NEAR: Final = 1.7  # standard deviations; one text in twenty is this similar
HALF_NEAR: Final = NEAR / 2
SCHEMA: Final = object_schema(verdicts={"type": "array", "items": {"type": "string", "enum": list(VERDICTS)}})


class Reader(Protocol):
    """Reads pairs and judges their names."""

    @property
    def name(self) -> str:
        """The name under which tables list it."""

    def prepare(self, items: Sequence[SheetItem]) -> None:
        """Receive all pairs before judging the first."""

    def verdicts(self, item: SheetItem) -> dict[int, int] | None:
        """Number of a name -> index into VERDICTS; None: no usable answer."""


class EncoderReader:
    """A different encoder: a name fits if both texts are near it, "not there" if one is less than half as near.

    Nearness is the cosine of name and text, in standard deviations above the mean over the sheet's texts.

    Raises:
        MismatchError: `encoder` is the explained encoder.
    """

    def __init__(self, encoder: Encoder, explained: EncoderIdentity) -> None:
        check_judge(encoder.identity, explained)
        self.encoder = encoder
        short = Path(encoder.identity.name).name
        self.name = f"encoder:{short} (fits at {NEAR} standard deviations or more, partly at {HALF_NEAR} or more)"
        self._near: dict[tuple[str, int], float] = {}

    def prepare(self, items: Sequence[SheetItem]) -> None:
        """Encode every text and name, and compare them."""
        texts = list(dict.fromkeys(text for item in items for text in (item.query, item.document)))
        names = list(dict.fromkeys(name for item in items for name in item.names.values()))
        cosine = (
            read_texts(self.encoder, texts, "document").vectors @ read_texts(self.encoder, names, "query").vectors.T
        )
        spread = np.maximum(cosine.std(axis=0), 1e-6)
        near = (cosine - cosine.mean(axis=0)) / spread
        row, column = {text: i for i, text in enumerate(texts)}, {name: j for j, name in enumerate(names)}
        for item in items:
            both = near[[row[item.query], row[item.document]]].min(axis=0)
            self._near |= {(item.item, number): float(both[column[name]]) for number, name in item.names.items()}

    def verdicts(self, item: SheetItem) -> dict[int, int]:
        """Judge by the less similar text."""
        near = {number: self._near[item.item, number] for number in item.names}
        return {number: int(value >= NEAR) + int(value >= HALF_NEAR) for number, value in near.items()}


class LlmReader:
    """A language model that reads one pair with all its names.

    Args:
        retries: attempts after an unusable answer.
        prompt: the name of a built-in prompt, or a file.
    """

    def __init__(self, model: ChatModel, retries: int = 1, prompt: str | Path = "names") -> None:
        if retries < 0:
            raise InputError("judge: retries must be >= 0")
        self.model, self.retries = model, retries
        self.name = f"llm:{model.name}"
        self.prompt = read_prompt(prompt, PROMPTS, SCHEMA)
        self.prompt.require_places("query", "document", "names")

    def prepare(self, items: Sequence[SheetItem]) -> None:
        """Do nothing."""

    def verdicts(self, item: SheetItem) -> dict[int, int] | None:
        """The model's verdicts."""

        def check(answer: Answer) -> Checked[list[int]]:
            try:
                found = parse_json(answer.text[answer.text.find("{") : answer.text.rfind("}") + 1])
            except InputError:
                found = None
            given = found.get("verdicts") if isinstance(found, dict) else None
            if not isinstance(given, list) or len(given) != len(item.names) or not set(given) <= set(VERDICTS):
                return Checked(None, f'it was not {{"verdicts": [...]}} with {len(item.names)} verdicts')
            return Checked([VERDICTS.index(one) for one in given])

        names = "\n".join(f"{place}. {one_line(name)}" for place, name in enumerate(item.names.values(), 1))
        values = {"query": item.query, "document": item.document, "names": names}
        found = ask(self.model, self.prompt, check, self.retries, **values).value
        return None if found is None else dict(zip(item.names, found, strict=True))


def judge(
    items: Sequence[SheetItem], reader: Reader, concurrency: int = 8, progress: Progress = silent
) -> tuple[Sheet, str | None]:
    """The filled-in sheet, and why the reader stopped early, if it did. Pairs without a usable answer stay empty."""
    reader.prepare(items)
    verdicts: dict[NameId, int] = {}
    stopped: str | None = None
    try:
        for done, (item, found) in enumerate(in_parallel(reader.verdicts, items, concurrency), 1):
            verdicts |= {(item.item, number): verdict for number, verdict in (found or {}).items()}
            progress("judge", done, len(items), "pairs")
    except BudgetSpent as spent:
        stopped = str(spent)
    return Sheet(reader.name, verdicts), stopped
