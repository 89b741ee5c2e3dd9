"""Makes command options from dataclasses: the library's configurations, and groups of options that commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import typer

from ..configs import Option
from ..errors import InputError
from ..options import check

Command = Callable[..., None]


class _Choice(NamedTuple):
    """One option that comes from a field of a dataclass."""

    parameter: inspect.Parameter
    flag: str
    item: type | None  # type of a tuple's items, which are separated by commas


def with_options(command: Command) -> Command:
    """Wrap a command that takes dataclasses: on the command line, their fields become options, in order.

    A field is an option if its annotation has a `typer.Option` or a `configs.Option`. Dataclasses that share the name
    of a field share the option, with the default of the first.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, dict[str, _Choice]] = {}
    parameters: dict[str, inspect.Parameter] = {}
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if isinstance(hint, type) and is_dataclass(hint):
            groups[parameter.name] = {choice.parameter.name: choice for choice in _choices(hint)}
            for name, choice in groups[parameter.name].items():
                parameters.setdefault(name, choice.parameter)
        else:
            parameters[parameter.name] = parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY)

    @functools.wraps(command)
    def taking_fields(**typed: Any) -> None:
        made = {
            group: hints[group](**{name: _value(choice, typed[name]) for name, choice in choices.items()})
            for group, choices in groups.items()
        }
        in_groups = {name for choices in groups.values() for name in choices}
        command(**made, **{name: value for name, value in typed.items() if name not in in_groups})

    taking_fields.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    taking_fields.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    return taking_fields


def _choices(options: Any) -> Iterator[_Choice]:
    hints = get_type_hints(options, include_extras=True)
    for field in fields(options):
        if get_origin(hints[field.name]) is not Annotated:
            continue
        kind, detail = get_args(hints[field.name])[:2]
        annotation, flag, item, default = hints[field.name], "", None, _default(field)
        if isinstance(detail, Option):
            flags = detail.flags.split()
            flag = next((name for name in flags if name.startswith("--")), f"--{field.name.replace('_', '-')}")
            names = [flag, *(name for name in flags if name != flag)]
            if get_origin(kind) is tuple:
                kind, item = str, get_args(kind)[0]
                default = ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in default)
            typed = str if get_origin(kind) is Literal else (str | None) if str in get_args(kind) else kind
            info = typer.Option(*names, help=detail.help, metavar=detail.metavar, envvar=detail.variable)
            annotation = Annotated[typed, info]
        parameter = inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )
        yield _Choice(parameter, flag, item)


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _value(choice: _Choice, typed: Any) -> Any:
    if choice.item is None:
        return typed
    item = choice.item if choice.item in (int, float) else str
    try:
        return tuple(item(part.strip()) for part in typed.split(",") if part.strip())
    except ValueError as error:
        kind = "whole numbers" if item is int else "numbers"
        raise InputError(f"{choice.flag} {typed!r}: give {kind} separated by commas") from error


def check_options(
    verb: str, values: Mapping[str, object], called: Mapping[str, str] | None = None, by: str = "dense"
) -> None:
    """Refuse options that cannot be combined; see `options.check`.

    Args:
        called: an option's name for users, if that is not --NAME.
    """
    names = {name: f"--{name.replace('_', '-')}" for name in ("by", *values)}
    check(verb, values, names | dict(called or {}), by)
