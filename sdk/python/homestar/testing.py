"""What effects answered when a task ran, for its tests.

    homestar run titles.wasm 'title("https://example.com/")' --allow https=example.com --receipt page.car
    homestar replay page.car --fixture page.json

In a test, the recording answers in place of effects, in its order:

    from homestar.testing import recorded

    def test_title():
        with recorded("page.json") as page:
            assert title(*page.args) == page.result

The test fails if the task asks for something else than was recorded, or for less.
"""

import base64
import enum
import json
import os
from types import SimpleNamespace
from typing import Any, Union

from . import dns, keys
from .effect import Effect, Err

__all__ = ["Differs", "Recording", "recorded"]


class Differs(AssertionError):
    """The task asks for something else than was recorded."""


def recorded(path: Union[str, os.PathLike[str]]) -> "Recording":
    """The recording in a file of `homestar replay --fixture`. In a `with`, it answers in place of effects."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        whole = json.loads(text)
        return Recording(str(path), whole["func"], whole["args"], whole["calls"], whole["out"])
    except (ValueError, KeyError, TypeError) as error:
        words = f"{path} is damaged, or nothing that `homestar replay --fixture` wrote: {type(error).__name__}: {error}"
        raise ValueError(words) from None


class Recording:
    """What a task asked effects, with the answers."""

    def __init__(self, path: str, func: str, args: list, calls: list, out: dict):
        self.path = path
        #: The function that was called.
        self.func = func
        #: Its arguments, as JSON has them, but for bytes.
        self.args: list[Any] = read(args)
        self.calls = [(one["call"], list(one["args"]), one["answer"]) for one in calls]
        self.out = read(out)
        if not isinstance(self.out, dict) or not self.out.keys() & {"ok", "error"}:
            raise ValueError("there is no outcome")
        self.next = 0
        self.failed = None

    @property
    def result(self) -> Any:
        """What the task returned, as JSON has it, but for bytes."""
        if "ok" not in self.out:
            raise ValueError(f"{self.path}: the task failed: {self.out['error']['message']}")
        return self.out["ok"]

    @property
    def error(self) -> dict:
        """How the task failed: `kind`, `message`, and the `value` of its own error."""
        if "error" not in self.out:
            raise ValueError(f"{self.path}: the task did not fail")
        return self.out["error"]

    def __enter__(self) -> "Recording":
        if Effect.recording is not None:
            raise RuntimeError("another recording is played already")
        self.next, self.failed = 0, None
        Effect.recording = self.functions
        return self

    def __exit__(self, kind, error, traceback) -> None:
        Effect.recording = None
        if self.failed and error is not self.failed:
            # The task went on without the answer, and whatever came of it says less.
            raise self.failed from None
        left = len(self.calls) - self.next
        if left and error is None:
            call, args, _ = self.calls[self.next]
            number = f"{left} recorded calls were" if left > 1 else "a recorded call was"
            raise Differs(f"{self.path}: {number} not made; call {self.next + 1} is\n  {shown(call, args)}")

    def functions(self, interface: str):
        """The functions of an interface, if SDKs record it."""
        name = interface.partition("@")[0]
        return None if name == "homestar:std/log" else Functions(self, name)

    def answer(self, call: str, args: list) -> Any:
        """The recorded answer to what has to be the next call."""
        if self.failed:
            raise self.failed
        args = [written(each) for each in args]
        number = self.next + 1
        if self.next == len(self.calls):
            raise self.differs(f"call {number} was not recorded:\n  {shown(call, args)}")
        recorded, with_args, answer = self.calls[self.next]
        if (call, whole(args)) != (recorded, whole(with_args)):
            now, then = shown(call, args), shown(recorded, with_args)
            raise self.differs(f"call {number} is another than was recorded\n  now       {now}\n  recorded  {then}")
        self.next += 1
        return given(call, self, answer)

    def differs(self, words: str) -> Differs:
        self.failed = Differs(f"{self.path}: {words}")
        return self.failed


class Functions:
    """An interface whose functions a recording answers."""

    def __init__(self, recording: Recording, name: str):
        self._recording = recording
        self._name = name

    def __getattr__(self, function: str):
        if function == "Key":
            return Functions(self._recording, f"{self._name}.key")
        call = f"{self._name}.{function.rstrip('_').replace('_', '-')}"
        return lambda *args: self._recording.answer(call, list(args))


class Handle:
    """A key of the recording."""

    def __init__(self, recording: Recording, number: int):
        self._functions = Functions(recording, "homestar:crypto/keys.key")
        self.number = number

    def __getattr__(self, function: str):
        return lambda *args: getattr(self._functions, function)(self, *args)

    def __exit__(self, *error) -> None:
        pass


# Answers, as bindings have them.


def given(call: str, recording: Recording, answer: Any) -> Any:
    """The answer to a call. An error is raised as bindings do."""
    if call == "homestar:crypto/digest.hash":
        return read(answer)
    if "error" in answer:
        error = answer["error"]
        ((case, value),) = error.items() if isinstance(error, dict) else ((error, None),)
        name = "".join(word.capitalize() for word in case.split("-"))
        raise Err(type(f"Error_{name}", (SimpleNamespace,), {})(value=read(value)))
    value = read(answer["ok"])
    interface, _, function = call.partition(".")
    if interface == "homestar:https/client":
        return SimpleNamespace(**{**value, "headers": [tuple(header) for header in value["headers"]]})
    if call == "homestar:dns/client.lookup":
        return [SimpleNamespace(name=one["name"], ttl=one["ttl"], data=data(one["data"])) for one in value]
    if function in ("key.generate", "key.import", "key.open", "key.derive", "key.agree"):
        return Handle(recording, value)
    if function == "key.algorithm":
        return keys.Algorithm[value.upper().replace("-", "_")]
    return value


def data(given: dict) -> SimpleNamespace:
    """What a record says."""
    ((case, value),) = given.items()
    of = {"mx": dns.Mx, "srv": dns.Srv, "caa": dns.Caa}.get(case)
    return SimpleNamespace(value=of(**value) if of else value)


# Values of DAG-JSON.


def read(value: Any) -> Any:
    """A value as JSON has it, but for bytes."""
    if isinstance(value, list):
        return [read(each) for each in value]
    if not isinstance(value, dict):
        return value
    inner = value.get("/")
    if len(value) == 1 and isinstance(inner, dict) and isinstance(inner.get("bytes"), str):
        return base64.b64decode(inner["bytes"] + "==")
    return {key: read(each) for key, each in value.items()}


def written(value: Any) -> Any:
    """An argument as a recording has it."""
    if isinstance(value, (bytes, bytearray)):
        return {"/": {"bytes": base64.b64encode(value).decode().rstrip("=")}}
    if isinstance(value, enum.Enum):
        return value.name.lower().replace("_", "-")
    if isinstance(value, (list, tuple)):
        return [written(each) for each in value]
    if isinstance(value, SimpleNamespace):
        return {key.replace("_", "-"): written(each) for key, each in vars(value).items()}
    if isinstance(value, Handle):
        return value.number
    return value


def whole(value: Any) -> Any:
    """A value without fields that say nothing: an option may be left out."""
    if isinstance(value, list):
        return [whole(each) for each in value]
    if isinstance(value, dict):
        return {key: whole(each) for key, each in value.items() if each is not None}
    return value


def shown(call: str, args: list) -> str:
    """A call as people read it."""
    text = ", ".join(json.dumps(whole(each), ensure_ascii=False) for each in args)
    return f"{call}({text if len(text) <= 300 else text[:300] + '…'})"
