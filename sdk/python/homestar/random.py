"""Random values from the operating system, by `homestar:random`. They need `homestar run --allow random`.

Python's own `random` and `secrets` are deterministic in a component, so that a task gives the same each time.
"""

import builtins

from .effect import Effect, EffectError


class Error(EffectError):
    """Why there are none."""


class Denied(Error):
    """Not granted; the message says what would allow it."""


class Budget(Error):
    """The task's budget is used up."""


class TooMany(Error):
    """More were asked for than one call gives."""

    words = "one call gives {0} at most"


effect = Effect(__name__, Error)


def bytes(length: int) -> builtins.bytes:
    """Random bytes, 16 MiB at most."""
    return effect.call("bytes", length)


def u64() -> int:
    """A random number of 64 bits."""
    return effect.call("u64")


def range(start: int, end: int) -> int:
    """A random number with `start <= number < end`. An empty range gives `start`."""
    return effect.call("range", start, end)


def shuffle(length: int) -> list[int]:
    """The numbers from 0 to `length - 1` in random order. A million at most."""
    return effect.call("shuffle", length)


def uuid() -> str:
    """A random UUID of version 4."""
    return effect.call("uuid")
