"""The table of label scores. A new score is a file here and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .base import LabelScore
from .detection import Detection
from .fuzz import Fuzz
from .intruder import Intruder

SCORES: Final[Mapping[str, LabelScore]] = {
    score.name: score
    for score in (
        Detection(),
        Fuzz(),
        Intruder(),
    )
}
