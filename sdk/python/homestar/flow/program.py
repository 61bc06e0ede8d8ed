"""The program `homestar`, which checks and runs workflows."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
from typing import IO, Any, Callable, Dict, Generic, Optional, Sequence, TypeVar

from .failures import Failure, HomestarError, RunError

R = TypeVar("R")


class Refused(HomestarError):
    """What the program said against it. `problems` are those of a workflow, each with its task."""

    def __init__(self, facts: Dict[str, Any]):
        super().__init__(facts["message"], facts["kind"])
        self.problems = facts.get("problems", [])


def found() -> str:
    """Where the program is: HOMESTAR says it, or it is in PATH."""
    program = os.environ.get("HOMESTAR") or shutil.which("homestar")
    if not program:
        raise HomestarError("there is no `homestar` in PATH; HOMESTAR may say where it is")
    return program


def output(arguments: Sequence[str]) -> bytes:
    """What the program writes."""
    done = subprocess.run([found(), *arguments], stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise HomestarError(said.removeprefix("error: ") or f"`homestar {arguments[0]}` failed")
    return done.stdout


def answer(arguments: Sequence[str], text: str, folder: Optional[str] = None) -> Any:
    """The answer of a command that prints one JSON object, for a text on its standard input."""
    done = subprocess.run([found(), *arguments], input=text.encode(), stdout=subprocess.PIPE, cwd=folder)
    facts = json.loads(done.stdout)
    if "error" in facts:
        raise Refused(facts["error"])
    return facts.get("ok", facts)


class Receipt:
    """The signed record of what came of a task."""

    def __init__(self, task: str, cid: str, how: str, fuel: int):
        self.task = task
        self.cid = cid
        #: Whether the task `ran`, was `memoised` or `failed`.
        self.how = how
        self.fuel = fuel

    @functools.cached_property
    def facts(self) -> Dict[str, Any]:
        """All that it says, once its signature was found good: what `homestar receipt show --json` prints."""
        facts: Dict[str, Any] = json.loads(output(["receipt", "show", self.cid, "--json"]))
        return facts

    @property
    def issuer(self) -> str:
        """Whose key signed it."""
        return str(self.facts["issuer"])

    @property
    def component(self) -> str:
        """The CID of the component that ran."""
        return str(self.facts["meta"]["component"]["/"])

    @property
    def ran(self) -> str:
        """The CID of the instruction."""
        return str(self.facts["ran"]["/"])

    @property
    def pure(self) -> bool:
        """Whether the instruction alone decided what came of it."""
        return bool(self.facts["pure"])

    def __repr__(self) -> str:
        return f"<Receipt {self.cid} of {self.task}>"


class Run(Generic[R]):
    """One execution of a workflow."""

    #: What the workflow's function returned, with the values of the tasks.
    result: R

    def __init__(self, begun: Dict[str, Any]):
        #: What `homestar runs` calls it.
        self.id: str = begun["run"]
        #: The CID of the workflow.
        self.workflow: str = begun["workflow"]["/"]
        #: The receipts of the tasks that ended, by their labels.
        self.receipts: Dict[str, Receipt] = {}
        #: How many tasks ran, were memoised, and so on.
        self.counts: Dict[str, int] = {}

    def __repr__(self) -> str:
        result = getattr(self, "result", None)
        return f"<Run {self.id}: {result!r}>"

    def _repr_mimebundle_(self, **_: Any) -> Dict[str, str]:
        bundle = getattr(getattr(self, "result", None), "_repr_mimebundle_", None)
        return {**(bundle() if bundle else {}), "text/plain": repr(self)}


def interrupted() -> HomestarError:
    """Why there is no result, though nothing failed."""
    return HomestarError("the run was interrupted; the same call goes on with it", "cancelled")


class Running(Generic[R]):
    """A run that has begun."""

    def __init__(self, workflow: Any, arguments: Sequence[str], folder: Optional[str]):
        self.workflow = workflow
        self.run: Optional[Run[R]] = None
        #: How tasks failed, by their labels.
        self.errors: Dict[str, Dict[str, Any]] = {}
        # Ctrl-C is passed on by us, and only once.
        self.process = subprocess.Popen(
            [found(), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, start_new_session=True
        )

    def stop(self) -> None:
        """Lets the tasks that run end, and no other begin."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, on_event: Optional[Callable[[Dict[str, Any]], None]] = None) -> Run[R]:
        """Hears what the program says until it ends."""
        assert self.process.stdin and self.process.stdout
        try:
            return self._hear(self.process.stdin, self.process.stdout, on_event)
        except BaseException:
            if self.process.poll() is None:
                self.stop()
                self.process.stdout.read()
            raise
        finally:
            self.process.stdout.close()
            self.process.wait()

    def _hear(self, stdin: IO[bytes], stdout: IO[bytes], on_event: Optional[Callable[[Dict[str, Any]], None]]) -> Run[R]:
        try:
            stdin.write(self.workflow.json().encode())
            stdin.close()
        except BrokenPipeError:
            # It says why on the other side.
            pass
        for line in stdout:
            event = json.loads(line)
            if "error" in event and "event" not in event:
                raise self.workflow._error(Refused(event["error"]))
            self._take(event)
            if on_event:
                on_event(event)
            if event["event"] == "finished":
                return self._finish(event)
        if self.process.wait() == -signal.SIGINT:
            raise interrupted()
        raise HomestarError("`homestar run` ended without a word")

    def _take(self, event: Dict[str, Any]) -> None:
        if event["event"] == "begun":
            self.run = Run(event)
        elif event["event"] == "ended" and self.run:
            label = event["task"]
            self.run.receipts[label] = Receipt(label, event["receipt"]["/"], event["how"], event["fuel"])
            if event["out"] and "error" in event["out"]:
                self.errors[label] = event["out"]["error"]

    def _finish(self, event: Dict[str, Any]) -> Run[R]:
        assert self.run
        self.run.counts = event["counts"]
        if event["how"] == "cancelled":
            raise interrupted()
        if event["how"] == "failed":
            # What another task awaits ends no run.
            failed = [failed for failed in event["failed"] if not failed["handled"]]
            raise RunError([self._failure(one) for one in failed or event["failed"]], self.run)
        self.workflow._finish(self.run, event["results"])
        return self.run

    def _failure(self, failed: Dict[str, Any]) -> Failure:
        label = failed["task"]
        value = self.errors.get(label, {}).get("value")
        return Failure(label, failed["kind"], failed["message"], value, self.workflow._place(label))
