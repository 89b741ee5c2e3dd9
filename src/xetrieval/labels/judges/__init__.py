"""Who judges labels. A judge reads a label and texts, never an activation. One file a judge."""

from .base import Judge, Marked, Text, odd_one_out
from .encoder import EncoderJudge, check_judge
from .llm import LlmJudge

__all__ = ["EncoderJudge", "Judge", "LlmJudge", "Marked", "Text", "check_judge", "odd_one_out"]
