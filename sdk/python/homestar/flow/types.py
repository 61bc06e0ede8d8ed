"""Types of WIT as those of Python: how values are written for a workflow, and read from what came of it."""

from __future__ import annotations

import base64
import collections.abc
import enum
import functools
import math
import os
import struct
import types
import typing
from typing import Any, Callable, Generic, TypeVar, Union

from .. import Wit
from ..mismatch import RANGES, shown
from .content import Bytes, File, Link
from .placeholder import Arg, Await, Each

T = TypeVar("T")
E = TypeVar("E")


class Mismatch(Exception):
    """A value that doesn't fit: where in it, what is expected there, and what was found."""

    def __init__(self, expected: str, value: Any, path: str = ""):
        super().__init__(expected)
        self.expected, self.value, self.path = expected, value, path

    def at(self, step: str) -> Mismatch:
        return Mismatch(self.expected, self.value, step + self.path)

    def __str__(self) -> str:
        place = f" at `{self.path.removeprefix('.')}`" if self.path else ""
        return f"takes {self.expected}{place}, not {shown(self.value)}"


class Parts:
    """Fields, with what stands for values in them or without."""

    def __init__(self, **fields: Any):
        self.__dict__.update(fields)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


class Record(Parts):
    """A record. Its fields are the annotations of its class."""


class Case(Parts):
    """A case of a variant. What it holds, if anything, is its `value`."""

    #: Its name in WIT.
    case: typing.ClassVar[str]


class Ok(Parts, Generic[T]):
    """A result that is good."""

    value: T

    def __init__(self, value: Arg[T]):
        super().__init__(value=value)


class Err(Parts, Generic[E]):
    """A result that is an error."""

    value: E

    def __init__(self, value: Arg[E]):
        super().__init__(value=value)


class Codec:
    """A type: how its values are written and read."""

    def __init__(self, wit: str, write: Callable[[Any], Any], read: Callable[[Any], Any] = lambda value: value):
        self.wit = wit
        self._write = write
        self._read = read

    def write(self, value: Any) -> Any:
        """A value as the file of a workflow has it. What stands for values stays for now."""
        if isinstance(value, Each) and value._codec is None:
            value._codec = self
        return value if isinstance(value, Await) else self._write(value)

    def read(self, value: Any) -> Any:
        """A value that was written."""
        return self._read(value)


@functools.lru_cache(maxsize=None)
def codec(hint: Any) -> Codec:
    """The type that an annotation stands for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return number_or_char(next(mark.name for mark in arguments[1:] if isinstance(mark, Wit)))
    if origin in (Union, types.UnionType):
        return of_union([one for one in arguments if typing.get_origin(one) is not Await])
    if hint is None or hint is type(None):
        return Codec("nothing", none, none)
    if hint is Any:
        return Codec("any data", any_data, any_read)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin in (list, collections.abc.Sequence):
        return list_of(codec(arguments[0]))
    if origin is tuple:
        return tuple_of([codec(argument) for argument in arguments])
    if origin in (set, collections.abc.Set):
        return flags_of(arguments[0])
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return enum_of(hint)
    if isinstance(hint, type) and issubclass(hint, Record):
        return record_of(hint)
    raise TypeError(f"{hint!r} is no type of WIT")


def kebab(name: str) -> str:
    """A name of WIT from that which Python has for it."""
    return name.rstrip("_").replace("_", "-")


# Plain values


def none(value: Any) -> Any:
    if value is not None:
        raise Mismatch("None", value)
    return None


def one_of(kind: type, wit: str) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        if not isinstance(value, kind):
            raise Mismatch(wit, value)
        return value

    return write


def char(value: Any) -> Any:
    if not isinstance(value, str) or len(value) != 1:
        raise Mismatch("one character", value)
    return value


def integer(wit: str) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Mismatch(wit, value)
        if value not in RANGES[wit]:
            raise Mismatch(f"{wit}, from {RANGES[wit][0]} to {RANGES[wit][-1]}", value)
        return value

    return write


def number(wit: str) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (float, int)):
            raise Mismatch(wit, value)
        try:
            value = float(value)
            if wit == "f32":
                (value,) = struct.unpack("f", struct.pack("f", value))
        except OverflowError:
            raise Mismatch(wit, value) from None
        return value if is_written(value) else SPECIAL[repr(value)]

    return write


#: The floats that JSON has no number for.
SPECIAL = {"nan": "nan", "inf": "inf", "-inf": "-inf", "-0.0": "-0"}


def is_written(value: float) -> bool:
    return math.isfinite(value) and (value != 0 or math.copysign(1, value) > 0)


def number_or_char(wit: str) -> Codec:
    if wit == "char":
        return Codec(wit, char)
    if wit.startswith("f"):
        return Codec(wit, number(wit), float)
    return Codec(wit, integer(wit))


def content(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"/": {"bytes": base64.b64encode(value).decode().rstrip("=")}}
    if isinstance(value, os.PathLike):
        value = File(value)
    if isinstance(value, File):
        return {"@": value.name}
    if isinstance(value, Link):
        return {"/": value.cid}
    raise Mismatch("bytes, a File or a Link", value)


def content_read(value: Any) -> Any:
    inner = value["/"]
    if isinstance(inner, str):
        return Link(inner)
    return Bytes(base64.b64decode(inner["bytes"] + "=="))


CONTENT = Codec("content", content, content_read)

PLAIN = {
    bool: Codec("bool", one_of(bool, "bool")),
    str: Codec("string", one_of(str, "string")),
    int: Codec("s64", integer("s64")),
    float: Codec("f64", number("f64"), float),
    bytes: CONTENT,
    Link: CONTENT,
}


# Values made of others


def within(codec: Codec, step: str, value: Any) -> Any:
    try:
        return codec.write(value)
    except Mismatch as mismatch:
        raise mismatch.at(step) from None


def list_of(item: Codec) -> Codec:
    wit = f"list<{item.wit}>"

    def write(value: Any) -> Any:
        # A text is a sequence too, and hardly ever meant as one.
        if isinstance(value, (str, bytes)) or not isinstance(value, collections.abc.Iterable):
            raise Mismatch(wit, value)
        return [within(item, f"[{at}]", one) for at, one in enumerate(value)]

    return Codec(wit, write, lambda value: [item.read(one) for one in value])


def tuple_of(items: list[Codec]) -> Codec:
    wit = f"tuple<{', '.join(item.wit for item in items)}>"

    def write(value: Any) -> Any:
        if not isinstance(value, (tuple, list)) or len(value) != len(items):
            raise Mismatch(wit, value)
        return [within(item, f"[{at}]", one) for at, (item, one) in enumerate(zip(items, value))]

    return Codec(wit, write, lambda value: tuple(item.read(one) for item, one in zip(items, value)))


def of_union(members: list[Any]) -> Codec:
    rest = [one for one in members if one is not type(None)]
    if len(rest) < len(members):
        return option_of(of_union(rest))
    if bytes in rest:
        return CONTENT
    if all(typing.get_origin(one) in (Ok, Err) for one in rest):
        return result_of(*(codec(typing.get_args(one)[0]) for one in rest))
    if all(isinstance(one, type) and issubclass(one, Case) for one in rest):
        return variant_of(rest)
    if len(rest) == 1:
        return codec(rest[0])
    raise TypeError(f"{rest!r} is no type of WIT")


def option_of(some: Codec) -> Codec:
    def write(value: Any) -> Any:
        return None if value is None else some.write(value)

    return Codec(f"option<{some.wit}>", write, lambda value: None if value is None else some.read(value))


def result_of(ok: Codec, err: Codec) -> Codec:
    wit = f"result<{ok.wit}, {err.wit}>"

    def write(value: Any) -> Any:
        if isinstance(value, Ok):
            return {"ok": within(ok, ".ok", value.value)}
        if isinstance(value, Err):
            return {"error": within(err, ".error", value.value)}
        raise Mismatch(f"Ok or Err, for {wit}", value)

    def read(value: Any) -> Any:
        return Ok(ok.read(value["ok"])) if "ok" in value else Err(err.read(value["error"]))

    return Codec(wit, write, read)


def enum_of(cases: type[enum.Enum]) -> Codec:
    def write(value: Any) -> Any:
        try:
            return cases(value).value
        except ValueError:
            names = ", ".join(case.value for case in cases)
            raise Mismatch(f"{cases.__name__} ({names})", value) from None

    return Codec(cases.__name__, write, cases)


def flags_of(names: type[enum.Enum]) -> Codec:
    one = enum_of(names)
    order = [name.value for name in names]
    wit = f"a set of {names.__name__}"

    def write(value: Any) -> Any:
        if isinstance(value, (str, bytes)) or not isinstance(value, collections.abc.Iterable):
            raise Mismatch(wit, value)
        return sorted({one.write(name) for name in value}, key=order.index)

    return Codec(wit, write, lambda value: {names(name) for name in value})


def record_of(kind: type[Record]) -> Codec:
    fields = {name: codec(hint) for name, hint in hints(kind).items()}

    def write(value: Any) -> Any:
        if not isinstance(value, kind):
            raise Mismatch(kind.__name__, value)
        return {kebab(name): within(field, f".{name}", getattr(value, name)) for name, field in fields.items()}

    def read(value: Any) -> Any:
        return kind(**{name: field.read(value.get(kebab(name))) for name, field in fields.items()})

    return Codec(kind.__name__, write, read)


def variant_of(cases: list[type[Case]]) -> Codec:
    wit = " or ".join(case.__name__ for case in cases)
    payloads = {case: codec(hint) for case in cases for hint in hints(case).values()}
    named = {case.case: case for case in cases}

    def write(value: Any) -> Any:
        kind = type(value)
        if kind not in cases:
            raise Mismatch(wit, value)
        payload = payloads.get(kind)
        return {kind.case: within(payload, f".{kind.case}", value.value) if payload else None}

    def read(value: Any) -> Any:
        ((name, inner),) = value.items()
        kind = named[name]
        payload = payloads.get(kind)
        return kind(**({"value": payload.read(inner)} if payload else {}))

    return Codec(wit, write, read)


def hints(kind: type) -> dict[str, Any]:
    """The annotations of a class, but those of the classes that it is made from."""
    known = typing.get_type_hints(kind, include_extras=True)
    return {name: known[name] for name in kind.__dict__.get("__annotations__", {})}


# Data of no type


def any_data(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not is_written(value):
            raise Mismatch("a number that data can hold", value)
        return value
    if isinstance(value, (bytes, bytearray, memoryview, File, Link, os.PathLike)):
        return content(value)
    if isinstance(value, enum.Enum):
        return any_data(value.value)
    if isinstance(value, Record):
        return codec(type(value)).write(value)
    if isinstance(value, collections.abc.Mapping):
        return map_data(value)
    if isinstance(value, collections.abc.Iterable):
        return [within(ANY, f"[{at}]", one) for at, one in enumerate(value)]
    raise Mismatch("data", value)


def map_data(value: collections.abc.Mapping[Any, Any]) -> Any:
    written = {}
    for key, one in value.items():
        if not isinstance(key, str):
            raise Mismatch("text as the key of a map", key)
        written[key] = within(ANY, f".{key}", one)
    only = next(iter(written), "") if len(written) == 1 else ""
    if only in ("/", "@", "@each") or only.startswith("await/"):
        raise Mismatch(f"no map whose one key is `{only}`, which means something else in a workflow", value)
    return written


def any_read(value: Any) -> Any:
    if isinstance(value, dict):
        if list(value) == ["/"]:
            return content_read(value)
        return {key: any_read(one) for key, one in value.items()}
    if isinstance(value, list):
        return [any_read(one) for one in value]
    return value


ANY = Codec("any data", any_data, any_read)
