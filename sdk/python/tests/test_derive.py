"""Which WIT follows from which annotations, and what is said where none does."""

import re
import textwrap
import unittest
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional, Union

import homestar
from homestar import Task, char, f32, task, u8, u32
from homestar.derive import DeriveError, Interface, kebab
from homestar.mismatch import mismatch


class Color(Enum):
    """What it looks like."""

    RED = "red"
    DARK_BLUE = 7


@dataclass
class Point:
    """Where it is."""

    x: float
    y: f32 = 0.0


@dataclass
class Circle:
    center: Point
    color: Optional[Color]


@dataclass
class TooLong(Exception):
    most: u32


class Empty(Exception):
    """Nobody is there."""


@dataclass
class Gone(Exception):
    pass


@dataclass
class Endless:
    again: "Optional[list[Endless]]"


@dataclass
class Keyed:
    a: int = field(kw_only=True)


@dataclass
class Nothing:
    pass


class Other:
    pass


def interface(function, raises=()) -> Interface:
    made = Interface("tries", "app")
    made.add(Task(outermost(function), raises))
    return made


def outermost(function):
    """A function as if it stood at the outermost level of its module, as tasks do."""
    function.__qualname__ = function.__name__
    return function


def signature(function, raises=()) -> str:
    return interface(function, raises).functions[0].strip()


class Names(unittest.TestCase):
    def test_both_cases_become_that_of_wit(self):
        for name, wit in [("top_words", "top-words"), ("TopWords", "top-words"), ("HTTPError", "http-error"), ("_a__b_", "a-b")]:
            self.assertEqual(kebab(name), wit)


class Types(unittest.TestCase):
    def test_what_waits_is_async_and_streams_are_of_bytes(self):
        async def late(a: u8) -> u8:
            return a

        async def read(a: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            return a

        async def given(a: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for piece in a:
                yield piece

        for function, raises, wit in [
            (late, (), "late: async func(a: u8) -> u8;"),
            (read, ValueError, "read: async func(a: stream<u8>) -> result<stream<u8>, string>;"),
            (given, (), "given: async func(a: stream<u8>) -> stream<u8>;"),
        ]:
            self.assertIn(wit, interface(function, raises).wit("app.py", []))

    def test_every_annotation_has_its_type(self):
        for hint, wit in [
            (bool, "bool"),
            (int, "s64"),
            (float, "f64"),
            (str, "string"),
            (bytes, "list<u8>"),
            (u8, "u8"),
            (char, "char"),
            (list[u8], "list<u8>"),
            (tuple[int, str], "tuple<s64, string>"),
            (dict[str, list[bool]], "list<tuple<string, list<bool>>>"),
            (Optional[Point], "option<point>"),
            (Union[Point, None], "option<point>"),
            (Point | Circle, "point-or-circle"),
            (Color, "color"),
        ]:

            def given(value):
                pass

            given.__annotations__ = {"value": hint, "return": type(None)}
            self.assertEqual(signature(given), f"given: func(value: {wit});")

    def test_types_are_defined_with_their_documentation(self):
        def draw(shape: Circle) -> bytes:
            """Draws it.

            As a picture."""

        made = interface(draw)
        expected = """
            /// Where it is.
            record point {
                x: f64,
                y: f32,
            }
            /// What it looks like.
            enum color {
                red,
                dark-blue,
            }
            record circle {
                center: point,
                color: option<color>,
            }
            /// Draws it.
            ///
            /// As a picture.
            draw: func(shape: circle) -> list<u8>;
        """
        text = "\n".join(made.definitions + made.functions)
        self.assertEqual(textwrap.dedent(text).strip(), textwrap.dedent(expected).strip())

    def test_what_is_a_word_of_wit_is_marked(self):
        def list(type: str) -> None: ...

        self.assertEqual(signature(list), "%list: func(%type: string);")

    def test_errors_are_those_that_are_named(self):
        def read() -> str: ...

        self.assertEqual(signature(read, ValueError), "read: func() -> result<string, string>;")
        self.assertEqual(signature(read, TooLong), "read: func() -> result<string, too-long>;")
        made = interface(read, (Empty, TooLong, Gone))
        self.assertEqual(made.functions[0].strip(), "read: func() -> result<string, error>;")
        self.assertEqual(
            re.sub(r"\s+", " ", made.definitions[-1]).strip(),
            "/// Why not. variant error { /// Nobody is there. empty(string), too-long(too-long), gone, }",
        )

    def test_two_tasks_with_the_same_errors_share_their_type(self):
        def read() -> str: ...
        def write() -> None: ...
        def close() -> None: ...

        made = Interface("tries", "app")
        for function, raises in [(read, (Empty, Gone)), (write, (Empty, Gone)), (close, (Gone, ValueError))]:
            made.add(Task(outermost(function), raises))
        self.assertEqual(
            [line.strip() for line in made.functions],
            [
                "read: func() -> result<string, error>;",
                "write: func() -> result<_, error>;",
                "close: func() -> result<_, close-error>;",
            ],
        )


class Refused(unittest.TestCase):
    def assert_refused(self, words: str, function, raises=()):
        with self.assertRaises(DeriveError) as caught:
            interface(function, raises)
        place, _, message = str(caught.exception).partition(": ")
        self.assertRegex(place, r"^test_derive\.py:\d+$")
        self.assertEqual(message, words)

    def test_an_annotation_that_says_too_little(self):
        def untyped(a) -> None: ...
        def silent(a: int): ...
        def bare(a: list) -> None: ...
        def anything(a: Any) -> None: ...

        self.assert_refused("the parameter `a` of `untyped` has no type, such as `a: str`", untyped)
        self.assert_refused("`silent` has no type for its result, such as `-> str`", silent)
        self.assert_refused(
            "the parameter `a` of `bare` is `list`, and it should say of what, such as `list[str]`", bare
        )
        self.assert_refused(
            "the parameter `a` of `anything` is `Any`, and a task has to say what it takes and gives",
            anything,
        )

    def test_what_wit_has_no_type_for(self):
        def other(a: Other) -> None: ...
        def long(a: tuple[int, ...]) -> None: ...
        def several(a: int | str) -> None: ...
        def keys(a: dict[int, str]) -> None: ...
        def open(*a: int) -> None: ...
        def generated() -> int:
            yield 1

        def waiting(a: AsyncIterator[bytes]) -> None: ...
        async def texts(a: AsyncIterator[str]) -> None: ...
        async def many(a: list[AsyncIterator[bytes]]) -> None: ...

        async def late() -> AsyncIterator[bytes]:
            yield b""

        self.assert_refused(
            "the parameter `a` of `other` is `Other`, which WIT has no type for; as a @dataclass or an Enum it would have one",
            other,
        )
        self.assert_refused(
            "the parameter `a` of `long` is `tuple[int, ...]`, which may have any length; `list` is for those", long
        )
        self.assert_refused(
            "the parameter `a` of `several` is `int | str`; what may be one of several has to be dataclasses", several
        )
        self.assert_refused(
            "the parameter `a` of `keys` is a dict whose keys are no `str`; a list of tuples may have any", keys
        )
        self.assert_refused("the parameter `a` of `open` has no position; take a list", open)
        self.assert_refused("`generated` is a generator; one that is `async` makes a stream", generated)
        self.assert_refused("the parameter `a` of `waiting` is a stream, for which a task has to be `async`", waiting)
        self.assert_refused("the parameter `a` of `texts` is a stream of something else than `bytes`", texts)
        words = "the parameter `a` of `many` is a stream, and only a parameter or the result of an async task may be one, of `bytes`"
        self.assert_refused(words, many)
        words = "`late` has returned its stream before it raises; a plain async function can return one or raise"
        self.assert_refused(words, late, raises=ValueError)

    def test_dataclasses_that_are_no_records(self):
        def holds(a: Endless) -> None: ...
        def by_key(a: Keyed) -> None: ...
        def holds_none(a: Nothing) -> None: ...

        self.assert_refused("`Endless` holds itself, and types of WIT can't", holds)
        self.assert_refused("`Keyed.a` isn't among the arguments by position of `Keyed`", by_key)
        self.assert_refused("`Nothing` has no fields, and a record of WIT has one at least", holds_none)

    def test_errors_that_are_none(self):
        def read() -> None: ...

        self.assert_refused("`raises` takes exceptions, and `int` is none", read, int)
        self.assert_refused("`ValueError` would be caught as one before it", read, (Exception, ValueError))

    def test_a_task_that_nobody_could_find(self):
        def inner() -> None: ...

        with self.assertRaisesRegex(DeriveError, "`inner` stands within a function, where nobody can find it"):
            Interface("tries", "app").add(Task(inner, ()))

    def test_two_things_of_one_name(self):
        def color(a: Color) -> None: ...

        self.assert_refused("two things would be called `color` in WIT; call one of them something else", color)


class Mismatches(unittest.TestCase):
    def test_a_result_is_told_where_it_differs(self):
        for hint, value, words in [
            (str, 5, "5 where a str was declared"),
            (u8, 256, "256 where a u8 was declared"),
            (char, "ab", "'ab' where one character was declared"),
            (list[u32], [1, -1], "-1 where a u32 was declared, at [1]"),
            (Optional[Circle], Circle(Point("x"), None), "'x' where a float was declared, at center.x"),
            (Circle, Circle(Point(1.0), "red"), "'red' where a Color was declared, at color"),
            (Point | Circle, [], "a list where Point or Circle was declared"),
            (Point | Circle, Point(None), "None where a float was declared, at x"),
            (dict[str, bool], {"a": 1}, "1 where a bool was declared, at ['a']"),
            (tuple[int, str], (1,), "a tuple where a tuple of 2 was declared"),
            (bytes, "x" * 50, f"'{'x' * 39}… where a bytes was declared"),
        ]:
            self.assertEqual(str(mismatch("f", value, hint)), f"f returned {words}")


class Marked(unittest.TestCase):
    def tearDown(self):
        homestar.tasks.clear()

    def test_a_task_stays_the_function_that_it_was(self):
        @task
        def double(a: int) -> int:
            return 2 * a

        @task(raises=ValueError)
        def half(a: int) -> int:
            return a // 2

        self.assertEqual((double(2), half(4)), (4, 2))
        self.assertEqual([(one.function, one.raises) for one in homestar.tasks], [(double, ()), (half, ValueError)])


if __name__ == "__main__":
    unittest.main()
