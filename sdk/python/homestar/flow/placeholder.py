"""What stands for a value that isn't known before the workflow runs."""

from __future__ import annotations

import typing
from typing import Any, Generic, Mapping, NoReturn, TypeVar, Union

V = TypeVar("V")
T_co = TypeVar("T_co", covariant=True)


class Await(Generic[T_co]):
    """Stands for a value. It can be passed to tasks, also within lists and records."""

    def written(self, labels: Mapping[int, str]) -> Any:
        """As the file of a workflow has it, in which tasks have these labels by their places."""
        raise NotImplementedError

    def said(self) -> str:
        """What it stands for, in words."""
        raise NotImplementedError

    # To type checkers it has none of these.
    if not typing.TYPE_CHECKING:

        def _unknown(self, what: str) -> NoReturn:
            raise TypeError(f"{self.said()} isn't known before the workflow runs, so {what}")

        def __bool__(self) -> bool:
            self._unknown("there is nothing yet to decide by; a task can decide, or `catch`")

        def __iter__(self) -> NoReturn:
            self._unknown("there is nothing yet to go through; `for_each(it, function)` does it when it runs")

        def __len__(self) -> int:
            self._unknown("it has no length yet; a task can count")

        def __getitem__(self, _: object) -> NoReturn:
            self._unknown("there is nothing yet to pick from; a task can pick")

        def __str__(self) -> str:
            self._unknown("there is no text of it yet; a task can make one")

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(f"{self.said()} isn't known before the workflow runs, so it has no `{name}` yet; a task can pick")


#: The value itself, or what stands for it.
Arg = Union[V, Await[V]]


class Branch(Await[T_co]):
    """One branch of what comes of a task."""

    def __init__(self, task: Any, key: str):
        self._task = task
        self._key = key

    def written(self, labels: Mapping[int, str]) -> Any:
        return {self._key: labels[self._task._at]}

    def said(self) -> str:
        return {"await/error": "the failure", "await/*": "the outcome"}[self._key] + f" of the task `{self._task.label}`"

    def __repr__(self) -> str:
        return f"<{self.said()}>"


class Each(Await[T_co]):
    """What `for_each` is at: the element, or its index or name."""

    def __init__(self, part: str):
        self._part = part
        #: How the parameter that it is passed to writes values.
        self._codec: typing.Optional[Any] = None

    def written(self, labels: Mapping[int, str]) -> Any:
        return {"@each": self._part}

    def said(self) -> str:
        return "the element" if self._part == "value" else "the element's key"

    def __repr__(self) -> str:
        return f"<{self.said()}>"
