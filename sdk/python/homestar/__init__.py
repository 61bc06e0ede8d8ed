"""Tasks for Homestar: typed functions that become a WebAssembly component.

    from homestar import task

    @task
    def greet(name: str) -> str:
        return f"Hello, {name}!"

`homestar build` reads the annotations, so there is nothing else to write. Called from Python, `greet` stays the function
that it was.
"""

from typing import Annotated, Callable, TypeVar, Union, overload

__all__ = ["task", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "char"]


class Wit:
    """Says which type of WIT an annotation stands for."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name


# An `int` is an s64 and a `float` an f64, unless one of these says otherwise.
u8 = Annotated[int, Wit("u8")]
u16 = Annotated[int, Wit("u16")]
u32 = Annotated[int, Wit("u32")]
u64 = Annotated[int, Wit("u64")]
s8 = Annotated[int, Wit("s8")]
s16 = Annotated[int, Wit("s16")]
s32 = Annotated[int, Wit("s32")]
s64 = Annotated[int, Wit("s64")]
f32 = Annotated[float, Wit("f32")]
char = Annotated[str, Wit("char")]


#: An exception, or several.
Raises = Union[type[Exception], tuple[type[Exception], ...]]


class Task:
    """A function that was marked, and what it raises."""

    def __init__(self, function: Callable, raises: Raises):
        self.function = function
        self.raises = raises


#: All tasks, in the order in which they were marked.
tasks: list[Task] = []

F = TypeVar("F")
G = TypeVar("G")


@overload
def task(function: F) -> F: ...
@overload
def task(*, raises: Raises) -> Callable[[G], G]: ...


def task(function=None, *, raises=()):
    """Makes a function one that the component exports.

    `raises` is an exception, or several in a tuple, that a caller gets as an error. Any other exception ends the task,
    with its traceback in the log. A dataclass that is an exception gives its fields, any other its message. Of several
    the caller sees which one it was.
    """
    if function is None:
        return Marker(raises)
    return Marker(raises)(function)


class Marker:
    def __init__(self, raises: Raises):
        self.raises = raises

    def __call__(self, function: F) -> F:
        tasks.append(Task(function, self.raises))
        return function
