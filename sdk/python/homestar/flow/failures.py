"""What can go wrong."""

from __future__ import annotations

import dataclasses
from typing import Any, Optional, Sequence


class HomestarError(Exception):
    """`homestar` said no. `kind` is that of its exit codes, such as `input` or `host`."""

    def __init__(self, message: str, kind: str = "host"):
        super().__init__(message)
        self.kind = kind


class WorkflowError(HomestarError):
    """The workflow was refused before anything ran. `problems` has all that is wrong with it, each with its place."""

    def __init__(self, name: str, problems: Sequence[str]):
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n  ".join([f"{name} has {count}", *problems]), "input")
        self.problems = list(problems)


@dataclasses.dataclass(frozen=True)
class Failure:
    """How a task failed: by an error of its own (`guest`), a `trap`, a limit such as `fuel` or `time`, …"""

    task: str
    kind: str
    message: str
    #: The error that the task's function returned, if that is what it was.
    value: Any = None
    #: Where the task stands in the program, if it does.
    place: Optional[str] = None

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{place}task `{self.task}` failed ({self.kind}): {self.message}"


class RunError(HomestarError):
    """Tasks failed, so there is no result. `failures` has them; `task`, `kind`, `message` and `value` are the first's."""

    def __init__(self, failures: Sequence[Failure], run: Any):
        super().__init__("\n".join(str(failure) for failure in failures), failures[0].kind)
        self.failures = list(failures)
        self.task = failures[0].task
        self.message = failures[0].message
        self.value = failures[0].value
        #: What is known of the run, such as the receipts of the tasks that ended.
        self.run = run
