"""Commands that take the same options: the options are the fields of one dataclass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

Command = Callable[..., None]


def with_options(options: type, first: int = 0) -> Callable[[Command], Command]:
    """A command whose first parameter is an `options`: on the command line it takes the options of both.

    Args:
        first: how many of the shared ones `--help` shows before the command's own.
    """

    def decorate(command: Command) -> Command:
        hints = get_type_hints(command, include_extras=True)
        own = [p.replace(annotation=hints[p.name]) for p in list(inspect.signature(command).parameters.values())[1:]]
        shared_hints = get_type_hints(options, include_extras=True)
        parameters = [*inspect.signature(options).parameters.values()]
        common = [p.replace(annotation=shared_hints[p.name]) for p in parameters]

        @functools.wraps(command)
        def taking_both(**given: Any) -> None:
            shared = options(**{field.name: given.pop(field.name) for field in fields(options)})
            command(shared, **given)

        ordered = [*common[:first], *own, *common[first:]]
        ordered.sort(key=lambda p: p.default is not inspect.Parameter.empty)
        keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in ordered]
        taking_both.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
        taking_both.__annotations__ = {p.name: p.annotation for p in keyword}
        return taking_both

    return decorate
