"""The choices of each kind of work, one dataclass each: Python takes it, and the command line makes options from it.

A field annotated with an `Option` is an option of the command, with the default of the field. These files import
nothing heavy, so that `--help` is instant.
"""

from .build import BuildConfig
from .option import Option

__all__ = ["BuildConfig", "Option"]
