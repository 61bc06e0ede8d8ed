"""Name resolution, by `homestar:dns`.

Which names may be looked up is said where the task is run: `homestar run --allow dns=example.com`.
"""

import enum
from dataclasses import dataclass
from typing import Union

from .effect import Effect, EffectError


class RecordType(enum.Enum):
    """Types of records."""

    A = 0
    AAAA = 1
    CAA = 2
    CNAME = 3
    MX = 4
    NS = 5
    PTR = 6
    SRV = 7
    TXT = 8


@dataclass
class Mx:
    """A mail exchange. Lower is preferred."""

    preference: int
    exchange: str


@dataclass
class Srv:
    """Where a service is. Lower is tried first."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass
class Caa:
    """Who may issue certificates."""

    critical: bool
    tag: str
    value: bytes


@dataclass
class Answer:
    """A record. What it says is text, such as an address or a name, but for `CAA`, `MX`, `SRV` and `TXT`."""

    name: str
    #: Seconds for which it may be kept.
    ttl: int
    data: Union[str, Caa, Mx, Srv, list[bytes]]


class Error(EffectError):
    """Why there is no answer."""


class Denied(Error):
    """Not granted; the message says what would allow it."""


class Budget(Error):
    """The task's budget of calls is used up."""


class Invalid(Error):
    """This can't be a name."""


class NotFound(Error):
    """There is no such name."""

    words = "there is no such name"


class Timeout(Error):
    """No server answered in time."""

    words = "no server answered in time"


class Failed(Error):
    """Servers answered, but with a failure."""


effect = Effect(__name__, Error)


def lookup(name: str, type: RecordType) -> list[Answer]:
    """The records of one type that a name has. One that has none of it gives an empty list."""
    return [Answer(one.name, one.ttl, data(one.data.value)) for one in effect.call("lookup", name, type)]


def addresses(name: str) -> list[str]:
    """The addresses of a host, IPv6 first."""
    return effect.call("addresses", name)


def reverse(address: str) -> list[str]:
    """The names of an address."""
    return effect.call("reverse", address)


def data(given):
    for one in (Mx, Srv, Caa):
        if type(given).__name__ == one.__name__:
            return one(**vars(given))
    return given
