"""Teacher texts about documents: written by a language model, or existing texts."""

from ..configs import TeachConfig
from .existing import TeacherPair, read_spec, read_teacher
from .prompt import read_prompt
from .written import TeachResult, teach

__all__ = ["TeachConfig", "TeachResult", "TeacherPair", "read_prompt", "read_spec", "read_teacher", "teach"]
