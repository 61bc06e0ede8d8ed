"""Workflows, from functions whose calls are tasks."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from typing import Any, Callable, Dict, Generic, Iterable, List, Mapping, Optional, ParamSpec, Sequence, Tuple, TypeVar, Union, overload

from . import program
from .component import check_within
from .content import File, Link, Secret
from .failures import HomestarError, WorkflowError
from .placeholder import Await, Each
from .program import Run, Running
from .task import Task, Tasks, current, settings
from .types import ANY, Codec, Mismatch, list_of

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U")


class Workflow(Generic[R]):
    """Tasks, and what they need of each other."""

    def __init__(self, name: str, tasks: Tasks, result: Any, defaults: Dict[str, Any]):
        self.name = name
        self._tasks = tasks
        self._labels = tasks.labels()
        self._result = result
        self._defaults = defaults

    def file(self) -> Dict[str, Any]:
        """The workflow as its file has it, in the form of DAG-JSON."""
        fields: Dict[str, Any] = {"name": self.name}
        if self._defaults:
            fields["defaults"] = self._defaults
        fields["tasks"] = {self._labels[task._at]: task._fields for task in self._tasks.all}
        file: Dict[str, Any] = json.loads(json.dumps(fields, default=lambda one: one.written(self._labels)))
        return file

    def json(self) -> str:
        """The text of its file."""
        return json.dumps(self.file(), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str) -> None:
        """Writes its file, for `homestar run` and for others. Its name ends in `.json`."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.json())

    def check(self, **options: Any) -> List[str]:
        """Checks it and runs nothing. Raises `WorkflowError` with all that is wrong; returns notes of what may go wrong."""
        return [self._line(note) for note in self._ask(["check", "-"], **options)["notes"]]

    def cid(self, **options: Any) -> str:
        """Its name: the CID of its one encoded form. The components that it names have to be there."""
        return str(self._ask(["check", "-"], **options)["workflow"])

    def run(
        self,
        *,
        folder: Optional[str] = None,
        allow: Sequence[str] = (),
        jobs: Optional[int] = None,
        fail_fast: bool = False,
        use_receipts: bool = True,
        on_event: Optional[Callable[[Dict[str, Any]], None]] = None,
    ) -> Run[R]:
        """Runs it and waits. Raises `WorkflowError` if it is refused, `RunError` if a task fails.

        Paths are looked for in `folder`. `on_event` is called with each line of `homestar run --json`. Without
        `use_receipts`, tasks run though there is a receipt. If this is interrupted, the same call goes on where it was.
        """
        return self._start(folder, allow, jobs, fail_fast, use_receipts).wait(on_event)

    async def run_async(
        self,
        *,
        folder: Optional[str] = None,
        allow: Sequence[str] = (),
        jobs: Optional[int] = None,
        fail_fast: bool = False,
        use_receipts: bool = True,
        on_event: Optional[Callable[[Dict[str, Any]], None]] = None,
    ) -> Run[R]:
        """As `run`, while others go on. `on_event` is called in another thread."""
        running = self._start(folder, allow, jobs, fail_fast, use_receipts)
        waiting = asyncio.ensure_future(asyncio.to_thread(running.wait, on_event))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            running.stop()
            await asyncio.wait([waiting])
            raise

    def __repr__(self) -> str:
        count = len(self._tasks.all)
        return f"<Workflow {self.name}: {count} {'task' if count == 1 else 'tasks'}>"

    def _start(
        self, folder: Optional[str], allow: Sequence[str], jobs: Optional[int], fail_fast: bool, use_receipts: bool
    ) -> Running[R]:
        arguments = ["run", "-", "--json"]
        for grant in [allow] if isinstance(allow, str) else allow:
            arguments += ["--allow", grant]
        if jobs is not None:
            arguments += ["--jobs", str(jobs)]
        if fail_fast:
            arguments.append("--fail-fast")
        if not use_receipts:
            arguments.append("--no-cache")
        for task in given(self._result):
            arguments += ["--result", self._labels[task._at]]
        return Running(self, arguments, folder)

    def _ask(self, arguments: List[str], folder: Optional[str] = None) -> Any:
        try:
            return program.answer([*arguments, "--json"], self.json(), folder)
        except program.Refused as refused:
            raise self._error(refused) from None

    def _error(self, refused: program.Refused) -> HomestarError:
        if not refused.problems:
            return HomestarError(str(refused), refused.kind)
        return WorkflowError(self.name, [self._line(problem) for problem in refused.problems])

    def _line(self, problem: Mapping[str, Any]) -> str:
        """A problem, with its place in the program."""
        label = problem.get("task")
        if label is None:
            return str(problem["message"])
        place = self._place(label)
        return f"{place + ': ' if place else ''}task `{label}`: {problem['message']}"

    def _place(self, label: str) -> Optional[str]:
        task = self._task(label)
        return None if task is None else task._place

    def _task(self, label: str) -> Optional[Task[Any]]:
        """The task of a label, or the one of which that is an element."""
        whole = label.partition("[")[0]
        return next((task for task in self._tasks.all if self._labels[task._at] == whole), None)

    def _finish(self, run: Run[R], results: Mapping[str, Any]) -> None:
        tasks = {self._labels[task._at]: task for task in given(self._result)}
        values = {label: read(task, results.get(label)) for label, task in tasks.items()}
        run.result = filled(self._result, values, self._labels)


@overload
def workflow(function: Callable[P, Task[T]]) -> Callable[P, Workflow[T]]: ...
@overload
def workflow(function: Callable[P, List[Task[T]]]) -> Callable[P, Workflow[List[T]]]: ...
@overload
def workflow(function: Callable[P, Dict[str, Task[T]]]) -> Callable[P, Workflow[Dict[str, T]]]: ...
@overload
def workflow(function: Callable[P, Tuple[Task[T], Task[U]]]) -> Callable[P, Workflow[Tuple[T, U]]]: ...
@overload
def workflow(function: Callable[P, Any]) -> Callable[P, Workflow[Any]]: ...
@overload
def workflow(
    *,
    name: Optional[str] = None,
    limits: Optional[Mapping[str, Union[int, str]]] = None,
    grant: Optional[Sequence[str]] = None,
    pin: Optional[Mapping[str, str]] = None,
    retry: Union[int, Mapping[str, Union[int, str]], None] = None,
    reuse: Optional[str] = None,
    secret: Optional[bool] = None,
    place: Optional[str] = None,
) -> Callable[[Callable[P, Any]], Callable[P, Workflow[Any]]]: ...


def workflow(function: Any = None, *, name: Optional[str] = None, **defaults: Any) -> Any:
    """Makes a function one that returns a workflow: the tasks that it calls.

    What the function returns is what a run gives: a task, or tasks in lists, tuples and dicts. Options are those of
    `Task.options`, for all tasks that don't say otherwise.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Workflow[Any]]:
        called = name or function.__name__.replace("_", "-")

        @functools.wraps(function)
        def write(*arguments: Any, **named: Any) -> Workflow[Any]:
            if current.get() is not None:
                raise RuntimeError(f"{function.__name__}() is a workflow, and one can't be called within another")
            tasks = Tasks()
            token = current.set(tasks)
            try:
                result = function(*arguments, **named)
            finally:
                current.reset(token)
            check_given(result, tasks, function.__name__)
            if not tasks.all:
                raise ValueError(f"{function.__name__}() calls no task")
            return Workflow(called, tasks, result, defaults_)

        return write

    defaults_ = settings(**defaults)
    return mark if function is None else mark(function)


def given(result: Any) -> List[Task[Any]]:
    """The tasks in what a workflow gives."""
    if isinstance(result, Task):
        return [result]
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        return [task for one in result for task in given(one)]
    return []


def check_given(result: Any, tasks: Tasks, function: str) -> None:
    if isinstance(result, Await) and not isinstance(result, Task):
        raise TypeError(f"{function}() returns {result.said()}; what a workflow gives is what its tasks do")
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        for one in result:
            check_given(one, tasks, function)
    elif isinstance(result, Task):
        check_within(tasks, result, function)


def for_each(source: Any, function: Callable[..., Task[T]]) -> Task[List[T]]:
    """Does what `function` calls for each element of a list, of a dict, of a folder, or of what a task gives.

    The function is called once, with what stands for the element, and for its index or name if it takes two. It returns the
    task that it calls.
    """
    tasks = current.get()
    if tasks is None:
        raise RuntimeError("for_each() makes a task of a workflow; call it in a function with `@workflow` before it")
    if tasks.each:
        raise RuntimeError("for_each() within another isn't possible; a task can gather what the inner one goes through")
    element: Each[Any] = Each("value")
    key: Each[Any] = Each("key")
    before = len(tasks.all)
    tasks.each.append([element, key])
    try:
        task = function(*[element, key][: arity(function)])
    finally:
        tasks.each.pop()
    if not isinstance(task, Task) or task._tasks is not tasks or task._at < before:
        raise TypeError("the function of for_each() returns the task that it calls")
    for other in tasks.all[before:]:
        if other is not task and uses(other._fields.get("args"), (element, key)):
            raise ValueError(f"{other._name}() takes the element, but only the task that is returned is done for each")
    task._fields["for-each"] = elements(source, element._codec or ANY)
    check_within(tasks, task._fields["for-each"], "for_each")
    task._gives = list_of(task._one)
    return task  # type: ignore[return-value]


def arity(function: Callable[..., Any]) -> int:
    """How many of the element and its key a function takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return 2
    return min(2, sum(parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) for parameter in parameters))


def elements(source: Any, codec: Codec) -> Any:
    """What is gone through, as the file has it."""
    if isinstance(source, (Await, File, Link)):
        return ANY.write(source)
    try:
        if isinstance(source, Mapping):
            return {str(name): codec.write(one) for name, one in source.items()}
        if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
            raise TypeError(f"for_each() goes through a list, a dict, a folder or what a task gives, not {source!r}")
        return [codec.write(one) for one in source]
    except Mismatch as mismatch:
        raise TypeError(f"for_each(): an element {mismatch}") from None


def uses(value: Any, each: Tuple[Each[Any], ...]) -> bool:
    if isinstance(value, dict):
        return any(uses(one, each) for one in value.values())
    if isinstance(value, list):
        return any(uses(one, each) for one in value)
    return any(value is one for one in each)


def read(task: Task[Any], outcome: Optional[Mapping[str, Any]]) -> Any:
    """What a task gave. What is secret isn't told."""
    return Secret() if outcome is None else task._gives.read(outcome["ok"])


def filled(result: Any, values: Mapping[str, Any], labels: Mapping[int, str]) -> Any:
    """What a workflow gives, with what its tasks gave."""
    if isinstance(result, Task):
        return values[labels[result._at]]
    if isinstance(result, Mapping):
        return {name: filled(one, values, labels) for name, one in result.items()}
    if isinstance(result, (list, tuple)):
        items = [filled(one, values, labels) for one in result]
        return items if isinstance(result, list) else tuple(items)
    return result

