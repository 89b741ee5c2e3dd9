"""Every error the library raises on purpose.

    XetrievalError
    ├── InputError        a text, file, line or field is not usable; says which, and what to do
    ├── MissingExtra      an optional dependency is absent; the text is the command to type
    ├── MismatchError     two things that do not belong together (encoder and explainer, dimensions)
    ├── DivergedError     training diverged: its numbers grew without bound
    ├── DamagedError      a stored artefact differs from what its manifest promises
    ├── EndpointError     a server refused, timed out or answered nonsense
    └── BudgetSpent       the next request would go over the budget; answers so far are kept

The command line prints the message as one line and exits with code 2 for all of them. Problems that do not stop the
work are warnings of the class XetrievalWarning, printed as one line each.
"""

from .text import clip


class XetrievalError(Exception):
    """Base of all errors below; the message is one line, meant for a person, and never too long to read."""

    def __str__(self) -> str:
        return clip(super().__str__())


class InputError(XetrievalError, ValueError):
    """The input cannot be used."""


class MissingExtra(XetrievalError, ImportError):  # noqa: N818  # it is a missing extra, as pip names it
    """An optional dependency is not installed."""


class MismatchError(XetrievalError, ValueError):
    """Two artefacts do not belong together."""


class DivergedError(XetrievalError, ArithmeticError):
    """Training ended with infinite or useless numbers."""


class DamagedError(XetrievalError):
    """A stored file is incomplete, altered, or of an unknown version."""


class EndpointError(XetrievalError):
    """A server did not answer usefully.

    Attributes:
        status: the HTTP status, 0 if there was none.
        refused: retrying this request will not help.
        too_large: the answer exceeded the limit; the problem is this request, not the server.
    """

    def __init__(self, message: str, status: int = 0, *, refused: bool = False, too_large: bool = False) -> None:
        super().__init__(message)
        self.status, self.refused, self.too_large = status, refused, too_large


class BudgetSpent(XetrievalError):  # noqa: N818  # an intended stop, not a mistake
    """A limit on requests, tokens or money was reached."""


class XetrievalWarning(UserWarning):
    """A problem that does not stop the work; the message is one line, meant for a person."""


class ForeignVectorsWarning(XetrievalWarning):
    """Vectors that probably do not come from the explainer's encoder."""


class LostFeaturesWarning(XetrievalWarning):
    """A profile refers to features that were lost when the dictionary was retrained."""


class NotKeptWarning(XetrievalWarning):
    """Vectors are not cached on disk: a function has no name or no version, or the disk is full."""


class NotComparedWarning(XetrievalWarning):
    """A filter compares a field with a date, and some of its values are texts that are not read as dates."""


class TrainingWarning(XetrievalWarning):
    """Training produced a poor result."""
