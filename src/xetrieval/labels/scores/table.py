"""The table of label scores. `registry` names them; each score's file sets `SCORE` to its class."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from ...registry import LABEL_SCORES
from .base import LabelScore

SCORES: Final[Mapping[str, LabelScore]] = {
    name: import_module(f".{name}", __package__).SCORE() for name in LABEL_SCORES
}
