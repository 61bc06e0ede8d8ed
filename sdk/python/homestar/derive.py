"""Derives WIT from annotated functions, and the Python that stands between both."""

import collections.abc
import dataclasses
import enum
import inspect
import re
import types
import typing

from . import Wit
from .mismatch import RANGES


class DeriveError(Exception):
    """An annotation that says too little, or what WIT has no type for."""

    def __init__(self, place: str, message: str):
        super().__init__(f"{place}: {message}" if place else message)


KEYWORDS = frozenset(
    "as async bool borrow char constructor enum export f32 f64 flags from func future import include interface list "
    "map option own package record resource result s16 s32 s64 s8 static stream string tuple type u16 u32 u64 u8 use "
    "variant with world".split()
)

PLAIN = {bool: "bool", int: "s64", float: "f64", str: "string", bytes: "list<u8>"}

#: What reads as a stream: `async for` goes over all of them.
STREAMS = frozenset({collections.abc.AsyncGenerator, collections.abc.AsyncIterable, collections.abc.AsyncIterator})

#: What tells that `{0}` is of a type. A class is compared first where `isinstance` would look through several.
CHECKS = {
    "bool": "isinstance({0}, bool)",
    "char": "(isinstance({0}, str) and len({0}) == 1)",
    "f32": "(type({0}) is float or isinstance({0}, (float, int)))",
    "f64": "(type({0}) is float or isinstance({0}, (float, int)))",
    "list<u8>": "isinstance({0}, bytes)",
    "string": "isinstance({0}, str)",
    **{
        name: f"(isinstance({{0}}, int) and {numbers[0]} <= {{0}} <= {numbers[-1]})" for name, numbers in RANGES.items()
    },
}


#: Longest check of a record that stands where it is needed. A call of a function costs more than one of this length.
CHECK_LENGTH_MAX = 400


def kebab(name: str) -> str:
    """`name`, in snake or camel case, as WIT writes it."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name)
    return "-".join(part for part in re.split(r"[-_]+", spaced.lower()) if part)


def escaped(name: str) -> str:
    return f"%{name}" if name in KEYWORDS else name


def snake(name: str) -> str:
    return name.replace("-", "_")


def camel(name: str) -> str:
    """A name of WIT as componentize-py writes the class for it."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("-"))


def place_of(thing) -> str:
    """Where a function or class stands, as `app.py:12`."""
    try:
        file = inspect.getsourcefile(thing)
        line = inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        return getattr(thing, "__qualname__", "")
    return f"{file.rsplit('/', 1)[-1]}:{line}"


def documented(text: typing.Optional[str], indent: str) -> list[str]:
    """A docstring as the comment of an item."""
    if not text:
        return []
    return [f"{indent}/// {line}".rstrip() for line in inspect.cleandoc(text).splitlines()]


# Folders of the path have other names in the component. In tracebacks, files are called as in the project.
SHORT_NAMES = """\
import sys
from importlib.machinery import FileFinder, SourceFileLoader

class Loader(SourceFileLoader):
    def get_code(self, name):
        path = self.get_filename(name)
        folder = max((folder for folder in sys.path if path.startswith(folder + "/")), key=len, default="")
        return self.source_to_code(self.get_data(path), path.removeprefix(folder + "/"))

sys.path_hooks.insert(0, FileFinder.path_hook((Loader, [".py"])))
sys.path_importer_cache.clear()
"""


def plain(wit: str) -> "Type":
    return Type(wit, CHECKS[wit].format)


@dataclasses.dataclass
class Type:
    """A type of WIT, and the Python that turns values of it into those of a person and back.

    `lift` and `lower` take an expression and return one. None is for values that are the same on both sides. `check` takes
    one and returns one that tells whether it is of the type on this side.
    """

    wit: str
    check: typing.Callable[[str], str]
    lift: typing.Optional[typing.Callable[[str], str]] = None
    lower: typing.Optional[typing.Callable[[str], str]] = None


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def each(inner, whole: str):
    """Applies `inner` to each element of a list, if there is anything to apply."""
    return inner and (lambda value: whole.format(inner("each"), value))


class Interface:
    """The interface that the tasks of one program make."""

    def __init__(self, name: str, module: str):
        self.name = name
        self.module = module
        #: The definitions of types, in the order in which they are needed.
        self.definitions: list[str] = []
        self.functions: list[str] = []
        self.is_async = self.has_streams = False
        #: Python that runs before the component is taken.
        self.glue: list[str] = []
        self.methods: list[str] = []
        #: What every name of WIT stands for, and the types that are known.
        self.named: dict[str, object] = {}
        self.known: dict[object, Type] = {}
        #: Classes that are being looked at: one that leads to itself has no end in WIT.
        self.open: list[object] = []

    def claim(self, place: str, name: str, thing) -> str:
        """Takes a name of WIT for `thing`."""
        name = kebab(name)
        if not all(re.fullmatch(r"[a-z][a-z0-9]*", word) for word in name.split("-")):
            raise DeriveError(
                place, f"`{name}` is no name in WIT, where each word begins with a letter and has only letters and digits"
            )
        if name in self.named and self.named[name] is not thing:
            raise DeriveError(place, f"two things would be called `{name}` in WIT; call one of them something else")
        self.named[name] = thing
        return name

    # Types

    def type_of(self, place: str, what: str, hint) -> Type:
        """The type for an annotation. `what` is whose it is, for messages."""
        if hint in self.known:
            return self.known[hint]
        if isinstance(hint, type) and hint in PLAIN:
            return plain(PLAIN[hint])
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            for mark in arguments[1:]:
                if isinstance(mark, Wit):
                    return plain(mark.name)
            return self.type_of(place, what, arguments[0])
        if origin is list and arguments:
            return self.list_of(self.type_of(place, what, arguments[0]))
        if origin is dict and arguments:
            return self.dict_of(place, what, arguments)
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return self.tuple_of([self.type_of(place, what, argument) for argument in arguments])
        if origin in (typing.Union, types.UnionType):
            return self.union_of(place, what, arguments, hint)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return self.enum_of(hint)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self.record_of(hint)
        if origin in STREAMS:
            words = f"{what} is a stream, and only a parameter or the result of an async task may be one, of `bytes`"
            raise DeriveError(place, words)
        raise DeriveError(place, f"{what} is `{named(hint)}`, {advice(hint)}")

    def streamed(self, place: str, what: str, hint, is_async: bool) -> Type:
        """A type that may be a stream."""
        if typing.get_origin(hint) not in STREAMS:
            return self.type_of(place, what, hint)
        if typing.get_args(hint)[0] is not bytes:
            raise DeriveError(place, f"{what} is a stream of something else than `bytes`")
        if not is_async:
            raise DeriveError(place, f"{what} is a stream, for which a task has to be `async`")
        self.has_streams = True
        return Type("stream<u8>", "hasattr({0}, '__aiter__')".format, "pieces({0})".format, None)

    def list_of(self, item: Type) -> Type:
        whole = "[{} for each in {}]"
        check = f"(isinstance({{0}}, list) and all({item.check('each')} for each in {{0}}))"
        return Type(f"list<{item.wit}>", check.format, each(item.lift, whole), each(item.lower, whole))

    def dict_of(self, place: str, what: str, arguments) -> Type:
        key, value = (self.type_of(place, what, argument) for argument in arguments)
        if key.wit != "string":
            raise DeriveError(place, f"{what} is a dict whose keys are no `str`; a list of tuples may have any")
        lift = value.lift or (lambda each: each)
        lower = value.lower or (lambda each: each)
        check = f"isinstance(key, str) and {value.check('each')} for key, each in {{0}}.items()"
        return Type(
            f"list<tuple<string, {value.wit}>>",
            f"(isinstance({{0}}, dict) and all({check}))".format,
            lambda given: f"{{key: {lift('each')} for key, each in {given}}}",
            lambda given: f"[(key, {lower('each')}) for key, each in {given}.items()]",
        )

    def tuple_of(self, items: list[Type]) -> Type:
        def mapped(way):
            functions = [getattr(item, way) for item in items]
            if not any(functions):
                return None
            parts = "".join(f"{f(f'each[{i}]') if f else f'each[{i}]'}, " for i, f in enumerate(functions))
            return lambda value: f"(lambda each: ({parts.rstrip()}))({value})"

        wit = ", ".join(item.wit for item in items)
        checks = [f"isinstance({{0}}, tuple) and len({{0}}) == {len(items)}"]
        checks += [item.check(f"{{0}}[{at}]") for at, item in enumerate(items)]
        return Type(f"tuple<{wit}>", f"({' and '.join(checks)})".format, mapped("lift"), mapped("lower"))

    def union_of(self, place: str, what: str, arguments, hint) -> Type:
        rest = [argument for argument in arguments if argument is not type(None)]
        if len(rest) < len(arguments):
            inner = self.type_of(place, what, rest[0] if len(rest) == 1 else typing.Union[tuple(rest)])
            if inner.wit.startswith("option<"):
                raise DeriveError(place, f"{what} is optional twice")
            maybe = "(lambda each: None if each is None else {})({})"
            check = f"({{0}} is None or {inner.check('{0}')})"
            return Type(f"option<{inner.wit}>", check.format, each(inner.lift, maybe), each(inner.lower, maybe))
        if not all(isinstance(case, type) and dataclasses.is_dataclass(case) for case in rest):
            raise DeriveError(place, f"{what} is `{named(hint)}`; what may be one of several has to be dataclasses")
        name = self.claim(place, "-or-".join(kebab(case.__name__) for case in rest), hint)
        known = self.known[hint] = self.variant(name, None, [(case, self.record_of(case)) for case in rest])
        return known

    def variant(self, name: str, documentation, cases) -> Type:
        """A variant with a case for each class, and its type or none."""
        lines = documented(documentation, "    ") + [f"    variant {escaped(name)} {{"]
        lowered = []
        for case, payload in cases:
            label = kebab(case.__name__)
            lines += documented(own_documentation(case), "        ")
            lines.append(f"        {escaped(label)}({payload.wit})," if payload else f"        {escaped(label)},")
            constructor = f"bindings.{camel(name)}_{camel(label)}"
            value = payload.lower("each") if payload and payload.lower else "each"
            lowered.append(f"    {self.path(case)}: lambda each: {constructor}({value if payload else ''}),")
        self.definitions.append("\n".join([*lines, "    }"]))
        lower = f"lower_{snake(name)}"
        self.glue += [f"{lower} = {{", *lowered, "}"]
        checks = [f"{self.path(case)}: lambda each: {payload.check('each')}" for case, payload in cases if payload]
        self.glue.append(f"check_{snake(name)} = {{{', '.join(checks)}}}")
        return Type(
            escaped(name),
            f"(type({{0}}) in check_{snake(name)} and check_{snake(name)}[type({{0}})]({{0}}))".format,
            "{0}.value".format,
            f"(lambda each: {lower}[type(each)](each))({{0}})".format,
        )

    def enum_of(self, hint) -> Type:
        place = place_of(hint)
        name = self.claim(place, hint.__name__, hint)
        if not list(hint):
            raise DeriveError(place, f"`{hint.__name__}` has no members")
        lines = documented(own_documentation(hint), "    ") + [f"    enum {escaped(name)} {{"]
        labels = [kebab(member.name) for member in hint]
        lines += [f"        {escaped(label)}," for label in labels]
        self.definitions.append("\n".join([*lines, "    }"]))
        # Members are known by their position on the other side, whatever their values are here.
        lift, lower = f"lift_{snake(name)}", f"lower_{snake(name)}"
        self.glue += [
            f"{lift} = list({self.path(hint)})",
            f"{lower} = dict(zip({lift}, bindings.{camel(name)}))",
        ]
        check = f"isinstance({{0}}, {self.path(hint)})"
        known = Type(escaped(name), check.format, f"{lift}[{{0}}.value]".format, f"{lower}[{{0}}]".format)
        self.known[hint] = known
        return known

    def record_of(self, hint) -> Type:
        if hint in self.known:
            return self.known[hint]
        place = place_of(hint)
        if hint in self.open:
            raise DeriveError(place, f"`{hint.__name__}` holds itself, and types of WIT can't")
        name = self.claim(place, hint.__name__, hint)
        self.open.append(hint)
        fields = dataclasses.fields(hint)
        hints = hints_of(hint, place)
        if not fields:
            raise DeriveError(place, f"`{hint.__name__}` has no fields, and a record of WIT has one at least")
        lines = documented(own_documentation(hint), "    ") + [f"    record {escaped(name)} {{"]
        members = []
        for field in fields:
            what = f"`{hint.__name__}.{field.name}`"
            if not field.init or field.kw_only:
                raise DeriveError(place, f"{what} isn't among the arguments by position of `{hint.__name__}`")
            label = kebab(field.name)
            if snake(label) != field.name:
                raise DeriveError(place, f"{what} should be called `{snake(label)}`")
            ty = self.type_of(place, what, hints[field.name])
            lines.append(f"        {escaped(label)}: {ty.wit},")
            members.append((field.name, ty))
        self.open.pop()
        self.definitions.append("\n".join([*lines, "    }"]))
        path = self.path(hint)

        def check(value: str) -> str:
            return f"({' and '.join([f'isinstance({value}, {path})', *(ty.check(f'{value}.{field}') for field, ty in members)])})"

        if len(check("given")) > CHECK_LENGTH_MAX:
            self.glue.append(f"is_{snake(name)} = lambda given: {check('given')}")
            check = f"is_{snake(name)}({{0}})".format
        known = self.known[hint] = Type(escaped(name), check, None, self.lowered_record(name, members))
        self.glue.append(f"bindings.{camel(name)} = {self.constructor(hint, members)}")
        return known

    def constructor(self, hint, members) -> str:
        """What makes an object of a person's class. Without anything to turn, it is the class itself."""
        if not any(ty.lift for _, ty in members):
            return self.path(hint)
        names = [f"v{position}" for position in range(len(members))]
        values = [ty.lift(name) if ty.lift else name for name, (_, ty) in zip(names, members)]
        return f"lambda {', '.join(names)}: {self.path(hint)}({', '.join(values)})"

    def lowered_record(self, name: str, members):
        if not any(ty.lower for _, ty in members):
            return None
        function = f"lower_{snake(name)}"
        values = [
            f"{field}={ty.lower(f'given.{field}') if ty.lower else f'given.{field}'}" for field, ty in members
        ]
        self.glue.append(f"{function} = lambda given: Namespace({', '.join(values)})")
        return lambda value: f"{function}({value})"

    # Functions

    def add(self, task) -> None:
        function = task.function
        place = place_of(function)
        if not inspect.isfunction(function):
            raise DeriveError(place, "@task is for functions")
        if inspect.isgeneratorfunction(function):
            raise DeriveError(place, f"`{function.__name__}` is a generator; one that is `async` makes a stream")
        gives = inspect.isasyncgenfunction(function)
        is_async = gives or inspect.iscoroutinefunction(function)
        self.is_async |= is_async
        name = self.claim(place, function.__name__, function)
        hints = hints_of(function, place)
        parameters = []
        lifted = []
        for parameter in inspect.signature(function).parameters.values():
            what = f"the parameter `{parameter.name}` of `{function.__name__}`"
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
                raise DeriveError(place, f"{what} has no position; take a list")
            if parameter.name not in hints:
                raise DeriveError(place, f"{what} has no type, such as `{parameter.name}: str`")
            ty = self.streamed(place, what, hints[parameter.name], is_async)
            parameters.append(f"{escaped(kebab(parameter.name))}: {ty.wit}")
            lifted.append(ty.lift)
        if "return" not in hints:
            raise DeriveError(place, f"`{function.__name__}` has no type for its result, such as `-> str`")
        result = None
        if hints["return"] is not type(None):
            result = self.streamed(place, f"the result of `{function.__name__}`", hints["return"], is_async)
        error, caught = self.raised(place, name, task.raises)
        if gives and error:
            words = f"`{function.__name__}` has returned its stream before it raises; a plain async function can return one or raise"
            raise DeriveError(place, words)
        returned = result.wit if result else None
        if error:
            returned = f"result<{returned or '_'}, {error.wit}>"
        arrow = f" -> {returned}" if returned else ""
        self.functions.append(
            "\n".join(
                [
                    *documented(function.__doc__, "    "),
                    f"    {escaped(name)}: {'async ' if is_async else ''}func({', '.join(parameters)}){arrow};",
                ]
            )
        )
        self.method(function, place, name, lifted, result, caught)

    def raised(self, place: str, name: str, raises):
        """The type of the error of a task, and its `except` clauses."""
        several = isinstance(raises, tuple)
        classes = raises if several else (raises,)
        for one in classes:
            if not (isinstance(one, type) and issubclass(one, Exception)):
                raise DeriveError(place, f"`raises` takes exceptions, and `{named(one)}` is none")
        payloads = [self.exception(one) for one in classes]
        if not several:
            ty = payloads[0] or Type("string", CHECKS["string"].format, None, "str({0})".format)
            return ty, [(self.path(raises), ty.lower("error") if ty.lower else "error")]
        if not classes:
            return None, []
        for earlier, one in enumerate(classes):
            if any(issubclass(one, other) for other in classes[:earlier]):
                raise DeriveError(place, f"`{one.__name__}` would be caught as one before it")
        ty = self.known.get(classes)
        if ty is None:
            name = "error" if "error" not in self.named else f"{name}-error"
            self.claim(place, name, classes)
            ty = self.known[classes] = self.variant(name, "Why not.", list(zip(classes, payloads)))
        # A class that is derived from one that is listed counts as that one.
        lower = f"lower_{snake(ty.wit.lstrip('%'))}"
        return ty, [(self.path(one), f"{lower}[{self.path(one)}](error)") for one in classes]

    def exception(self, one) -> typing.Optional[Type]:
        """What an exception tells: its fields, nothing if it has none, or else its message."""
        if not dataclasses.is_dataclass(one):
            # Of an exception that isn't looked into, there is nothing to check.
            return Type("string", "True".format, None, "str({0})".format)
        return self.record_of(one) if dataclasses.fields(one) else None

    def method(self, function, place: str, name: str, lifted, result, caught) -> None:
        target = self.path(function)
        is_async = inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function)
        waits = "await " if inspect.iscoroutinefunction(function) else ""
        names = [f"v{position}" for position in range(len(lifted))]
        values = [lift(name) if lift else name for name, lift in zip(names, lifted)]
        lines = [f"value = {waits}{target}({', '.join(values)})"]
        if caught:
            lines = ["try:", *indented(lines)]
            for exception, error in caught:
                lines += [f"except {exception} as error:", f"    raise Err({error}) from None"]
        if result:
            lines += [
                f"if not {result.check('value')}:",
                f"    raise mismatch({function.__name__!r}, value, hints({target})['return'], {place!r})",
            ]
            if result.wit == "stream<u8>":
                lines += [
                    "writer, reader = byte_stream()",
                    f"spawn(fill(writer, {function.__name__!r}, value))",
                    "return reader",
                ]
            else:
                lines.append(f"return {result.lower('value') if result.lower else 'value'}")
        begin = f"{'async ' if is_async else ''}def {snake(name)}({', '.join(names)}):"
        # Written out, since a decorator would cost as much as all the rest.
        lines = ["try:", *indented(lines), "except Err:", "    raise", "except BaseException as error:", "    tell(error)", "    raise"]
        self.methods += indented(["@staticmethod", begin, *indented(lines)])

    def path(self, thing) -> str:
        """How the glue names a function or class of a person's."""
        if thing.__module__ == "builtins":
            return thing.__qualname__
        if "<" in thing.__qualname__:
            raise DeriveError(place_of(thing), f"`{thing.__name__}` stands within a function, where nobody can find it")
        module = thing.__module__
        if f"import {module}" not in self.glue:
            self.glue.insert(0, f"import {module}")
        return f"{module}.{thing.__qualname__}"

    def wit(self, source: str, imports: list[str]) -> str:
        """What the component offers and, of interfaces, what it imports."""
        asked = "".join(f"    import {name};\n" for name in imports)
        items = "\n\n".join(self.definitions + self.functions)
        return (
            f"// Derived from {source} by `homestar build`, which writes it anew.\n"
            f"package my:{escaped(self.name)};\n\n"
            f"interface tasks {{\n{items}\n}}\n\n"
            f"world {escaped(self.name)} {{\n{asked}    export tasks;\n}}\n"
        )

    def python(self, imported_late: list[str]) -> str:
        """The module that is the component. `imported_late` are modules to import beforehand, where they are there."""
        return "\n".join(
            [
                "# Made by `homestar build`.",
                SHORT_NAMES,
                "import importlib",
                f"for name in {imported_late!r}:",
                "    try:",
                "        importlib.import_module(name)",
                "    except Exception:",
                "        pass",
                "from types import SimpleNamespace as Namespace",
                "from typing import get_type_hints",
                "from componentize_py_types import Err",
                "from homestar.ending import tell",
                "from homestar.mismatch import mismatch",
                "from wit_world import exports",
                "from wit_world.exports import tasks as bindings",
                *(STREAMING if self.has_streams else []),
                "hints = lambda function: get_type_hints(function, include_extras=True)",
                *self.glue,
                "",
                # What waits is begun by the class that bindings have.
                f"class Tasks({'exports.Tasks' if self.is_async else ''}):",
                *self.methods,
                "",
            ]
        )


#: What a program with streams needs.
STREAMING = [
    "from componentize_py_async_support import spawn",
    "from wit_world import byte_stream",
    "from homestar.streams import fill, pieces",
]


def own_documentation(one) -> typing.Optional[str]:
    """The docstring that a person wrote: dataclasses and enums are given one."""
    text = one.__dict__.get("__doc__")
    is_made = text and (text.startswith(f"{one.__name__}(") or text == "An enumeration.")
    return None if is_made else text


def hints_of(thing, place: str) -> dict:
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except NameError as error:
        raise DeriveError(place, f"an annotation names something unknown: {error}") from None


def named(hint) -> str:
    is_class = isinstance(hint, type) and not typing.get_args(hint)
    return hint.__name__ if is_class else str(hint).replace("typing.", "")


def advice(hint) -> str:
    """What to write in place of an annotation that WIT has no type for."""
    if hint in (list, dict, tuple, typing.List, typing.Dict, typing.Tuple):
        return "and it should say of what, such as `list[str]`"
    if hint is typing.Any or hint is object:
        return "and a task has to say what it takes and gives"
    if typing.get_origin(hint) is tuple:
        return "which may have any length; `list` is for those"
    if isinstance(hint, type) and hint.__module__ != "builtins":
        return "which WIT has no type for; as a @dataclass or an Enum it would have one"
    return "which WIT has no type for; there are bool, int, float, str, bytes, list, tuple, dict, Optional, Enum and @dataclass"
