"""Teacher texts of documents: written by a language model, or texts that exist already."""

from .existing import TeacherPair, read_spec, read_teacher
from .prompt import read_prompt
from .written import TeachConfig, TeachResult, teach

__all__ = ["TeachConfig", "TeachResult", "TeacherPair", "read_prompt", "read_spec", "read_teacher", "teach"]
