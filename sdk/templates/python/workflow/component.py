"""The functions of {{name}}.wasm, for workflows: made by `homestar bind`."""

from collections.abc import Sequence

from homestar.flow import Arg, Component, Record, Task, u32

_component = Component("{{name}}.wasm")


class Word(Record):
    text: str
    times: u32

    def __init__(self, text: Arg[str], times: Arg[u32]) -> None:
        super().__init__(text=text, times=times)


def words(text: Arg[str]) -> Task[list[Word]]:
    """`words: func(text: string) -> list<word>`"""
    return _component.call("words", words, text)


def top(counted: Arg[Sequence[Arg[Sequence[Arg[Word]]]]], count: Arg[u32]) -> Task[list[Word]]:
    """`top: func(counted: list<list<word>>, count: u32) -> result<list<word>, string>`"""
    return _component.call("top", top, counted, count)
