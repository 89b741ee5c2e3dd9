"""Judges of labels, one per file. A judge reads a label and texts, never an activation."""

from .base import Judge, Marked, Text, odd_one_out
from .encoder import EncoderJudge, check_judge
from .llm import LlmJudge

__all__ = ["EncoderJudge", "Judge", "LlmJudge", "Marked", "Text", "check_judge", "odd_one_out"]
