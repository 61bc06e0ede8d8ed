"""Says where a task's result isn't of the type that was declared. Nothing here runs while it is."""

import dataclasses
import enum
import types
import typing

from . import Wit

#: The whole numbers that types of WIT hold.
RANGES = {
    f"{sign}{bits}": range(-(2 ** (bits - 1)), 2 ** (bits - 1)) if sign == "s" else range(2**bits)
    for sign in "su"
    for bits in (8, 16, 32, 64)
}


def mismatch(task: str, value, hint, place: str = "") -> TypeError:
    """The error for a `value` that isn't of the type `hint`. `place` is that of the task, such as `app.py:12`."""
    expected, found, path = first(value, hint, "") or ("what was declared", value, "")
    within = f", at {path.removeprefix('.')}" if path else ""
    error = TypeError(f"{task} returned {shown(found)} where {expected} was declared{within}")
    error.task = (task, place)
    return error


def first(value, hint, path: str):
    """What was expected, what was found and where, for the first part that doesn't fit, or nothing."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        name = next((mark.name for mark in arguments[1:] if isinstance(mark, Wit)), None)
        if name in RANGES:
            return None if isinstance(value, int) and value in RANGES[name] else (f"a {name}", value, path)
        if name == "char":
            return None if isinstance(value, str) and len(value) == 1 else ("one character", value, path)
        return first(value, arguments[0], path)
    if hint is int:
        return first(value, typing.Annotated[int, Wit("s64")], path)
    if hint is float:
        return None if isinstance(value, (float, int)) else ("a float", value, path)
    if origin in (typing.Union, types.UnionType):
        return of_union(value, arguments, path)
    kind = origin or hint
    if kind is type(None):
        return None if value is None else ("None", value, path)
    if not isinstance(value, kind):
        return (f"a {kind.__name__}", value, path)
    if origin is list:
        return any_of(first(item, arguments[0], f"{path}[{at}]") for at, item in enumerate(value))
    if origin is tuple:
        if len(value) != len(arguments):
            return (f"a tuple of {len(arguments)}", value, path)
        return any_of(first(item, hint, f"{path}[{at}]") for at, (item, hint) in enumerate(zip(value, arguments)))
    if origin is dict:
        return any_of(
            first(key, str, f"{path}.{key}") or first(item, arguments[1], f"{path}[{key!r}]") for key, item in value.items()
        )
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        names = [field.name for field in dataclasses.fields(hint)]
        return any_of(first(getattr(value, name), hints[name], f"{path}.{name}") for name in names)
    return None


def of_union(value, cases, path: str):
    if value is None and type(None) in cases:
        return None
    rest = [case for case in cases if case is not type(None)]
    if len(rest) == 1:
        return first(value, rest[0], path)
    if type(value) in rest:
        return first(value, type(value), path)
    return (" or ".join(case.__name__ for case in rest), value, path)


def any_of(found):
    return next((one for one in found if one), None)


def shown(value) -> str:
    """A value, or its class where it is long."""
    if isinstance(value, (bool, int, float, str, bytes, enum.Enum, type(None))):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:40]}…"
    return f"a {type(value).__name__}"
