"""Makes the options of commands from `Option`s, in their signatures and in the dataclasses that they take."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from ..configs import Option, Range
from ..configs.option import range_of
from ..errors import InputError
from ..options import check

Command = Callable[..., None]


class _Choice(NamedTuple):
    """One option that comes from a field of a dataclass."""

    parameter: inspect.Parameter
    flag: str
    item: type | None  # type of a tuple's items, which are separated by commas
    allowed: Range | None


class _Once(TyperCommand):
    """A command that refuses a duplicate option: only one of its values could have an effect."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        values = [one for one in self.make_parser(ctx).parse_args(list(args))[2] if not one.multiple and one.nargs == 1]
        for option in values:
            if values.count(option) > 1 and not getattr(option, "is_flag", False):
                raise InputError(f"{option.opts[0]} is given more than once; give it once")
        return super().parse_args(ctx, args)


class Commands(typer.Typer):
    """An application whose commands may take dataclasses and `Option`s; see `with_options`."""

    def command(self, name: str | None = None) -> Callable[[Command], Command]:  # type: ignore[override]
        """Add a command."""
        add = super().command(name, cls=_Once)
        return lambda command: add(with_options(command))


def with_options(command: Command) -> Command:
    """Wrap a command for typer: every `Option`, and every field of a dataclass that it takes, becomes an option.

    Fields without an `Option` are not options. Dataclasses that share the name of a field share the option, with the
    default of the first.
    """
    hints = get_type_hints(command, include_extras=True)
    alone: dict[str, _Choice] = {}
    groups: dict[str, dict[str, _Choice]] = {}
    parameters: dict[str, inspect.Parameter] = {}
    for parameter in inspect.signature(command).parameters.values():
        name, hint = parameter.name, hints[parameter.name]
        if isinstance(hint, type) and is_dataclass(hint):
            groups[name] = {choice.parameter.name: choice for choice in _choices(hint)}
            for field, choice in groups[name].items():
                parameters.setdefault(field, choice.parameter)
        else:
            alone[name] = _choice(name, hint, parameter.default)
            parameters[name] = alone[name].parameter

    @functools.wraps(command)
    def taking_fields(**typed: Any) -> None:
        made = {
            group: hints[group](**{name: _value(choice, typed[name]) for name, choice in choices.items()})
            for group, choices in groups.items()
        }
        command(**made, **{name: _value(choice, typed[name]) for name, choice in alone.items()})

    taking_fields.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    taking_fields.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    return taking_fields


def _choices(options: Any) -> Iterator[_Choice]:
    hints = get_type_hints(options, include_extras=True)
    for field in fields(options):
        hint = hints[field.name]
        if get_origin(hint) is Annotated and any(not isinstance(detail, Range) for detail in get_args(hint)[1:]):
            yield _choice(field.name, hint, _default(field))


def _choice(name: str, hint: Any, default: Any) -> _Choice:
    kind, *details = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    flag, item, allowed = "", None, range_of(hint)
    for detail in details:
        if not isinstance(detail, Option):
            continue
        flags = detail.flags.split()
        flag = next((one for one in flags if one.startswith("--")), f"--{name.replace('_', '-')}")
        if get_origin(kind) is tuple:
            kind, item = str, get_args(kind)[0]
            default = ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in default)
        typed = str if get_origin(kind) is Literal else (str | None) if kind == (str | Path | None) else kind
        names = [flag, *(one for one in flags if one != flag)]
        info = typer.Option(*names, help=detail.help, metavar=detail.metavar, envvar=detail.variable)
        hint = Annotated[typed, info]
    parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
    return _Choice(parameter, flag, item, allowed)


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _value(choice: _Choice, typed: Any) -> Any:
    if isinstance(typed, Path | list | tuple):
        typed = _paths(typed)
    value = typed if choice.item is None else _items(choice.flag, choice.item, typed)
    if choice.allowed is not None:
        choice.allowed.check(choice.flag, value)
    return value


def _paths(typed: Any) -> Any:
    """The value of an option or argument, with "~" in its paths expanded."""
    from ..files import path_of

    if isinstance(typed, list | tuple):
        return type(typed)(map(_paths, typed))
    return path_of(typed) if isinstance(typed, Path) else typed


def _items(flag: str, kind: type, typed: str) -> tuple[Any, ...]:
    item = kind if kind in (int, float) else str
    try:
        return tuple(item(part.strip()) for part in typed.split(",") if part.strip())
    except ValueError as error:
        words = "whole numbers" if item is int else "numbers"
        raise InputError(f"{flag} {typed!r}: give {words} separated by commas") from error


def check_options(
    verb: str, values: Mapping[str, object], called: Mapping[str, str] | None = None, by: str = "dense"
) -> None:
    """Refuse options that cannot be combined; see `options.check`.

    Args:
        called: an option's name for users, if that is not --NAME.
    """
    names = {name: f"--{name.replace('_', '-')}" for name in ("by", *values)}
    check(verb, values, names | dict(called or {}), by)
