"""Measures whether the names in explanations fit the texts, by blind sheets that judges fill in.

`draw` takes pairs of an index and the names that their explanations show, mixes in names of inactive features, and
gives a key. `sheet` writes what a judge reads: only the texts and names of the key. A person, a
language model or another encoder fills it in. `score` compares filled sheets with the key.
"""

from ...configs import NamesConfig
from .draw import draw_names
from .judges import EncoderReader, LlmReader, Reader, judge
from .key import KeyRow, read_key, write_key
from .score import Interval, NamesResult, Shares, krippendorff_alpha, score_names
from .sheet import VERDICTS, Sheet, SheetItem, check_sheet, read_sheet, sheet_items, write_sheet

__all__ = [
    "VERDICTS",
    "EncoderReader",
    "Interval",
    "KeyRow",
    "LlmReader",
    "NamesConfig",
    "NamesResult",
    "Reader",
    "Shares",
    "Sheet",
    "SheetItem",
    "check_sheet",
    "draw_names",
    "judge",
    "krippendorff_alpha",
    "read_key",
    "read_sheet",
    "score_names",
    "sheet_items",
    "write_key",
    "write_sheet",
]
