"""Components: whose functions are called."""

from __future__ import annotations

import functools
import linecache
import pathlib
import sys
import types
import typing
from typing import Any, Callable, TypeVar, Union

from . import program
from .content import Link
from .placeholder import Await, Each
from .task import Task, Tasks, current
from .types import Codec, Mismatch, codec

T = TypeVar("T")


class Component:
    """A component, by a path, a CID, an `ipfs://` or an `https://` URL, or a link. A path is looked for where the program runs."""

    def __init__(self, name: Union[str, Link]):
        self.name = name

    def __repr__(self) -> str:
        return f"Component({self.name!r})"

    def call(self, name: str, function: Callable[..., Task[T]], *arguments: object) -> Task[T]:
        """Makes a task of the workflow that is being written: the function that WIT calls `name`, as `function` declares it."""
        tasks = current.get()
        if tasks is None:
            raise RuntimeError(
                f"{function.__name__}() makes a task of a workflow; call it in a function with `@workflow` before it"
            )
        parameters, gives = types_of(function)
        written = []
        for (parameter, one), argument in zip(parameters.items(), arguments):
            try:
                written.append(one.write(argument))
            except Mismatch as mismatch:
                raise TypeError(f"{function.__name__}(): the argument `{parameter}` {mismatch}") from None
        component = {"/": self.name.cid} if isinstance(self.name, Link) else self.name
        fields: dict[str, Any] = {"component": component, "call": name}
        if written:
            fields["args"] = written
        check_within(tasks, written, function.__name__)
        # The function that was called, and who called it.
        caller = sys._getframe(2)
        place = f"{pathlib.Path(caller.f_code.co_filename).name}:{caller.f_lineno}"
        return Task(tasks, name.rpartition("#")[2], fields, gives, place)


@functools.lru_cache(maxsize=None)
def types_of(function: Callable[..., Task[Any]]) -> tuple[dict[str, Codec], Codec]:
    """The types of the parameters of a function, and of what its task gives."""
    hints = typing.get_type_hints(function, include_extras=True)
    (gives,) = typing.get_args(hints.pop("return"))
    return {name: codec(hint) for name, hint in hints.items()}, codec(gives)


def check_within(tasks: Tasks, value: Any, function: str) -> None:
    """Refuses what stands for something of another workflow, or of a `for_each` that is over."""
    if isinstance(value, Each):
        if not any(value in each for each in tasks.each):
            raise ValueError(f"{function}(): the element of a `for_each` means nothing outside of its function")
        if value not in tasks.each[-1]:
            raise ValueError(f"{function}(): the element of an outer `for_each` isn't known within an inner one")
    elif isinstance(value, Await):
        task = getattr(value, "_task", value)
        if task._tasks is not tasks:
            raise ValueError(f"{function}(): the task at {task._place} is one of another workflow")
    elif isinstance(value, dict):
        for one in value.values():
            check_within(tasks, one, function)
    elif isinstance(value, list):
        for one in value:
            check_within(tasks, one, function)


def component(name: str) -> types.ModuleType:
    """Reads what a component exports, and returns a module with its functions: what `homestar bind` would write."""
    source = program.output(["bind", name, "--lang", "python", "--output", "-"]).decode()
    file = f"<functions of {name}>"
    # For tracebacks.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = types.ModuleType(pathlib.PurePath(name).stem.replace("-", "_"))
    exec(compile(source, file, "exec"), module.__dict__)
    return module
