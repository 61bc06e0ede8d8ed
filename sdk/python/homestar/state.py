"""Small values that stay after the task, by `homestar:std`. They need `homestar run --allow state=BUCKET`."""

from typing import Optional

from .effect import Effect, EffectError


class Error(EffectError):
    """Why not."""


class Denied(Error):
    """Not granted; the message says what would allow it."""


class Budget(Error):
    """The task's budget is used up."""


class Invalid(Error):
    """A bucket or key can't have this name."""


class TooLarge(Error):
    """A value is larger than 256 KiB, or the bucket is full."""

    words = "more than {0} bytes"


class Failed(Error):
    """The host's disk failed."""


effect = Effect(__name__, Error)


def get(bucket: str, key: str) -> Optional[bytes]:
    """The value of a key, if it is there."""
    return effect.call("get", bucket, key)


def set(bucket: str, key: str, value: bytes) -> None:
    """Sets the value of a key: 256 KiB at most."""
    effect.call("set", bucket, key, value)


def delete(bucket: str, key: str) -> None:
    """Removes a key, if it is there."""
    effect.call("delete", bucket, key)


def keys(bucket: str) -> list[str]:
    """The keys, in the order of their bytes."""
    return effect.call("list", bucket)
