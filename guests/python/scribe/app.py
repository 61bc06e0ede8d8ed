"""Reads files and writes others."""

import wit_world
from componentize_py_types import Err
from wit_world.imports.files import Blob, Sink

STEP = 256 * 1024


class WitWorld(wit_world.WitWorld):
    def lines(self, text: Blob) -> int:
        return sum(piece.count(b"\n") for piece in pieces(text))

    def shout(self, text: Blob) -> Blob:
        sink = told(Sink.create)
        for piece in pieces(text):
            sink.write(piece.upper())
        return told(Sink.finish, sink)

    def peek(self, cid: str) -> bytes:
        with told(Blob.open, cid) as blob:
            return told(blob.read, 0, 16)


def pieces(blob):
    """The bytes of a file, piece by piece."""
    offset = 0
    while piece := told(blob.read, offset, STEP):
        yield piece
        offset += len(piece)


def told(function, *arguments):
    """Calls a function. Its error becomes one of ours, as text."""
    try:
        return function(*arguments)
    except Err as error:
        raise Err(type(error.value).__name__) from None
