"""Streams of bytes in a component: what a task reads is an async iterator, and so is what it returns."""

import asyncio
from collections.abc import AsyncIterator

from .ending import tell

#: Most bytes that are read at a time.
PIECE_BYTES = 64 << 10


async def pieces(reader) -> AsyncIterator[bytes]:
    """What comes out of a stream."""
    with reader:
        while not reader.writer_dropped:
            if piece := await reader.read(PIECE_BYTES):
                yield piece


async def fill(writer, task: str, pieces: AsyncIterator[bytes]) -> None:
    """Writes to a stream what a task gives, after it has returned. If that fails, the task has failed."""
    with writer:
        try:
            async for piece in pieces:
                if not isinstance(piece, (bytes, bytearray)):
                    raise TypeError(f"{task} gives {piece!r:.40} where bytes were declared")
                if await writer.write_all(piece) < len(piece):
                    # Nobody reads any more.
                    break
        except BaseException as error:
            tell(error)
            # It ends before anybody hears that the stream has.
            asyncio.get_running_loop().call_exception_handler({"exception": error})
            await asyncio.Future()
