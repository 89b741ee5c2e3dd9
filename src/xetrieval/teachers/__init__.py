"""Documents to the texts that internalizers learn from."""

from .existing import TeacherPair, read_teacher

__all__ = ["TeacherPair", "read_teacher"]
