"""HTTPS, by `homestar:https`.

    from homestar import https

    page = https.get("https://example.com/")
    assert page.status == 200

Which hosts may be reached is said where the task is run: `homestar run --allow https=example.com`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Optional

from .effect import Effect, EffectError


@dataclass
class Response:
    """A response. 404 is one, and no error."""

    status: int
    #: Names are in lower case, and in the order in which they came.
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    #: Where it came from, after redirects.
    url: str = ""

    def header(self, name: str) -> Optional[str]:
        """The first header of this name."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def text(self) -> str:
        """The body as UTF-8, with U+FFFD for what isn't."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. A body that isn't raises `ValueError`."""
        return json.loads(self.body)


class Error(EffectError):
    """Why there is no response."""


class Denied(Error):
    """Not granted; the message says what would allow it."""


class Budget(Error):
    """The task's budget of calls or bytes is used up."""


class Invalid(Error):
    """The request isn't one: a bad URL, method or header."""


class Name(Error):
    """The host's name has no address, or could not be looked up."""


class Connection(Error):
    """No connection, or it broke."""


class Tls(Error):
    """The server's certificate is not to be trusted, or TLS failed."""


class Timeout(Error):
    """It took too long."""

    words = "the server took too long"


class Protocol(Error):
    """The server doesn't speak HTTP."""


class TooLarge(Error):
    """The body has more bytes than `max_bytes`."""

    words = "the body has more than {0} bytes"


class Redirects(Error):
    """There are more redirects than `redirects`."""

    words = "there are more than {0} redirects"


effect = Effect(__name__, Error)


def get(url: str) -> Response:
    """Gets a URL."""
    return response(effect.call("get", url))


def send(
    method: str,
    url: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    connect_timeout_ms: Optional[int] = None,
    timeout_ms: Optional[int] = None,
    redirects: Optional[int] = None,
    max_bytes: Optional[int] = None,
) -> Response:
    """Sends a request. `{{secret:NAME}}` in the value of a header becomes that secret on its way out."""
    options = SimpleNamespace(
        connect_timeout_ms=connect_timeout_ms, timeout_ms=timeout_ms, redirects=redirects, max_bytes=max_bytes
    )
    request = SimpleNamespace(method=method, url=url, headers=list(headers), body=body, options=options)
    return response(effect.call("send", request))


def response(given) -> Response:
    return Response(given.status, given.headers, given.body, given.url)
