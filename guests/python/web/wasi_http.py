"""Lets `urllib.request` send by wasi:http, since a component has neither sockets nor TLS of its own.

Importing it is enough. Redirects, cookies and the like stay urllib's.
"""

import email.message
import http.client
import io
import urllib.error
import urllib.parse
import urllib.request
import urllib.response

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, types
from wit_world.imports.streams import StreamError_Closed

READ_BYTES = 64 * 1024

# What one write may have.
WRITE_BYTES = 4096

# The host sets these.
HOST_HEADERS = {"connection", "host"}


class WasiHandler(urllib.request.HTTPHandler):
    """Opens http and https. In its place urllib had a handler with sockets."""

    def http_open(self, request):
        try:
            status, headers, body = exchange(request)
        except Err as error:
            raise urllib.error.URLError(str(error.value)) from None
        message = email.message.Message()
        for name, value in headers:
            message[name] = value.decode("latin-1")
        response = urllib.response.addinfourl(io.BytesIO(body), message, request.full_url, status)
        response.msg = http.client.responses.get(status, "")
        return response

    https_open = http_open
    https_request = urllib.request.HTTPHandler.http_request


def exchange(request):
    """Sends a request of urllib. Returns status, headers and body."""
    url = urllib.parse.urlsplit(request.full_url)
    headers = [
        (name.lower(), value.encode("latin-1"))
        for name, value in request.header_items()
        if name.lower() not in HOST_HEADERS
    ]
    outgoing = types.OutgoingRequest(types.Fields.from_list(headers))
    outgoing.set_method(method(request.get_method()))
    outgoing.set_scheme(types.Scheme_Http() if url.scheme == "http" else types.Scheme_Https())
    outgoing.set_authority(url.netloc)
    outgoing.set_path_with_query(request.selector or "/")

    body = outgoing.body()
    future = outgoing_handler.handle(outgoing, None)
    data = request.data or b""
    if data:
        with body.write() as stream:
            for start in range(0, len(data), WRITE_BYTES):
                stream.blocking_write_and_flush(data[start : start + WRITE_BYTES])
    types.OutgoingBody.finish(body, None)

    with future:
        with future.subscribe() as ready:
            ready.block()
        response = taken(taken(future.get()))
    with response:
        with response.headers() as fields:
            headers = fields.entries()
        return response.status(), headers, received(response.consume())


def method(name):
    known = getattr(types, f"Method_{name.capitalize()}", None)
    return known() if known and known is not types.Method_Other else types.Method_Other(name)


def taken(result):
    if isinstance(result, Ok):
        return result.value
    raise result


def received(body):
    """Reads a body to its end."""
    pieces = []
    with body.stream() as stream:
        try:
            while True:
                pieces.append(stream.blocking_read(READ_BYTES))
        except Err as error:
            if not isinstance(error.value, StreamError_Closed):
                raise
    types.IncomingBody.finish(body)
    return b"".join(pieces)


urllib.request.install_opener(urllib.request.build_opener(WasiHandler))
