"""How much of a text the encoder could read: tokens past its limit, and tokens that its tokenizer does not know."""

from __future__ import annotations

from typing import Final, NamedTuple


class Reading(NamedTuple):
    """How much was read of one text. None: not counted."""

    unread: int = 0  # tokens past the encoder's limit, which did not affect the score
    unknown: int | None = None  # tokens read that the tokenizer does not know; the encoder cannot tell them apart
    tokens: int | None = None  # tokens read, without special ones and the prompt

    @property
    def unreadable(self) -> bool:
        """Whether half of its tokens or more are unknown, or there are none."""
        return self.tokens is not None and 2 * (self.unknown or 0) >= self.tokens

    def notes(self, what: str) -> list[str]:
        """A line for each kind of token of `what` that was not read; most texts have none."""
        found = []
        if self.tokens == 0:
            found.append(f"the encoder can read nothing of the {what}: this score says nothing about it")
        elif self.tokens and self.unknown:
            counted = f"{self.unknown:,} of {self.tokens:,} tokens"
            how = "all" if self.unknown == self.tokens else "most" if self.unreadable else ""
            if how:
                found.append(
                    f"{how} of the {what} is unknown to the encoder ({counted}): this score says little about it"
                )
            else:
                verb = "is" if self.unknown == 1 else "are"
                found.append(f"{counted} of the {what} {verb} unknown to the encoder")
        if self.unread:
            last = (
                f"last token of the {what} is" if self.unread == 1 else f"last {self.unread} tokens of the {what} are"
            )
            found.append(f"the {last} past the encoder's limit and did not affect the score")
        return found


NOT_COUNTED: Final = Reading()
