"""Tasks of a workflow, and what is said of how they are run."""

from __future__ import annotations

import collections.abc
import contextvars
import re
from typing import Any, Mapping, Optional, Sequence, TypeVar, Union

from .content import Link
from .placeholder import Await, Branch, Each
from .types import ANY, Codec, Mismatch, content

T_co = TypeVar("T_co", covariant=True)
Self = TypeVar("Self", bound="Task[Any]")

#: What a label is made of.
LABEL = re.compile(r"[^\W][\w.-]*\Z")


class Tasks:
    """The tasks of a workflow that is being written."""

    def __init__(self) -> None:
        self.all: list[Task[Any]] = []
        #: Those that were given a label.
        self.named: dict[str, Task[Any]] = {}
        #: The elements that `for_each` is at, the innermost last.
        self.each: list[list[Each[Any]]] = []

    def labels(self) -> dict[int, str]:
        """The label of each task, by its place: its own, or the name of its function with a number if others have that."""
        labels = {task._at: label for label, task in self.named.items()}
        taken = set(self.named)
        numbers: dict[str, int] = {}
        for task in self.all:
            if task._at in labels:
                continue
            label = task._name
            while label in taken:
                numbers[task._name] = numbers.get(task._name, 1) + 1
                label = f"{task._name}-{numbers[task._name]}"
            taken.add(label)
            labels[task._at] = label
        return labels


#: The workflow that is being written, if one is.
current: contextvars.ContextVar[Optional[Tasks]] = contextvars.ContextVar("homestar.flow", default=None)


class Task(Await[T_co]):
    """A task, and what it will give."""

    def __init__(self, tasks: Tasks, name: str, fields: dict[str, Any], gives: Codec, place: str):
        self._tasks = tasks
        self._at = len(tasks.all)
        #: What its function is called, without its interface.
        self._name = name
        self._fields = fields
        self._gives = gives
        #: What it gives for each element, if it is done for several.
        self._one = gives
        #: Where it stands in the program.
        self._place = place
        tasks.all.append(self)

    @property
    def label(self) -> str:
        """What it is called in the workflow: what `options` said, or the name of its function with a number."""
        return self._tasks.labels()[self._at]

    @property
    def error(self) -> Await[Any]:
        """Its failure: `kind`, `message` and perhaps `value`. A task that is passed this runs only if this one fails."""
        return Branch(self, "await/error")

    @property
    def outcome(self) -> Await[Any]:
        """Whichever comes of it: `ok` with the value, or `error` with the failure."""
        return Branch(self, "await/*")

    def options(
        self: Self,
        *,
        label: Optional[str] = None,
        limits: Optional[Mapping[str, Union[int, str]]] = None,
        grant: Optional[Sequence[str]] = None,
        pin: Optional[Mapping[str, str]] = None,
        retry: Union[int, Mapping[str, Union[int, str]], None] = None,
        reuse: Optional[str] = None,
        secret: Optional[bool] = None,
        place: Optional[str] = None,
        catch: Optional[Mapping[str, Any]] = None,
        nonce: Union[str, bytes, None] = None,
    ) -> Self:
        """Says how it is run, as the file of a workflow does, and returns it.

        `catch` is one of `{"ok": value}`, `{"rewire": task}`, `{"msg": text}` and `{"call": function}`, the last perhaps
        with `component` and a list `rewire`.
        """
        if label is not None:
            self._call_it(label)
        said = settings(limits, grant, pin, retry, reuse, secret, place)
        if catch is not None:
            said["catch"] = caught(catch, self._one)
        if nonce is not None:
            said["nonce"] = content(nonce) if isinstance(nonce, bytes) else nonce
        self._fields.update(said)
        return self

    def _call_it(self, label: str) -> None:
        if not LABEL.match(label) or len(label.encode()) > 100:
            raise ValueError(f"the label {label!r} is no word: letters, digits, `-`, `_` and `.`, 100 bytes at the most")
        other = self._tasks.named.get(label, self)
        if other is not self:
            raise ValueError(f"the task at {other._place} is called {label!r} already")
        named = {name: task for name, task in self._tasks.named.items() if task is not self}
        self._tasks.named = {**named, label: self}

    def written(self, labels: Mapping[int, str]) -> Any:
        return {"await/ok": labels[self._at]}

    def said(self) -> str:
        return f"what the task `{self.label}` gives"

    def __repr__(self) -> str:
        return f"<Task {self.label}>"


class Named:
    """The label of a task, where the file has that alone."""

    def __init__(self, task: Task[Any]):
        self._task = task

    def written(self, labels: Mapping[int, str]) -> Any:
        return labels[self._task._at]


def settings(
    limits: Optional[Mapping[str, Union[int, str]]] = None,
    grant: Optional[Sequence[str]] = None,
    pin: Optional[Mapping[str, str]] = None,
    retry: Union[int, Mapping[str, Union[int, str]], None] = None,
    reuse: Optional[str] = None,
    secret: Optional[bool] = None,
    place: Optional[str] = None,
) -> dict[str, Any]:
    """What was said of how tasks are run, as the file has it."""
    said: dict[str, Any] = {
        "limits": limits and {name.replace("_", "-"): amount for name, amount in limits.items()},
        "grant": None if grant is None else [grant] if isinstance(grant, str) else list(grant),
        "pin": pin and dict(pin),
        "retry": dict(retry) if isinstance(retry, collections.abc.Mapping) else retry,
        "reuse": reuse,
        "secret": secret,
        "place": place,
    }
    return {name: value for name, value in said.items() if value is not None}


def caught(catch: Mapping[str, Any], gives: Codec) -> dict[str, Any]:
    """What becomes of a failure, as the file has it, where a task stands for its label."""
    written: dict[str, Any] = {}
    for name, value in catch.items():
        if name == "ok":
            try:
                written[name] = gives.write(value)
            except Mismatch as mismatch:
                raise TypeError(f"`catch` puts in place of what the task gives, which {mismatch}") from None
        elif name == "rewire":
            written[name] = Named(value) if isinstance(value, Task) else [Named(task) for task in value]
        elif name == "component":
            written[name] = ANY.write(value) if isinstance(value, Link) else value
        else:
            written[name] = value
    return written
