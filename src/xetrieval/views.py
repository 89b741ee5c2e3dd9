"""The views of a document, by their names.

`original` is the encoder's own vector. The other three are what the internalizers make of it: the
embeddings that a written answer, summary or statement of purpose of the document would have had.
"""

from __future__ import annotations

from typing import Final, Literal

View = Literal["original", "qa", "summary", "purpose"]
Aspect = Literal["qa", "summary", "purpose"]

ASPECTS: Final[tuple[Aspect, ...]] = ("qa", "summary", "purpose")
VIEWS: Final[tuple[View, ...]] = ("original", "qa", "summary", "purpose")
