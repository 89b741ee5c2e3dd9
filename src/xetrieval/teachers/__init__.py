"""Document to view texts: written by a language model, or texts that exist already."""

from .existing import TeacherPair, read_spec, read_teacher
from .prompt import Prompt, read_prompt
from .written import Taught, TeachConfig, teach

__all__ = ["Prompt", "Taught", "TeachConfig", "TeacherPair", "read_prompt", "read_spec", "read_teacher", "teach"]
