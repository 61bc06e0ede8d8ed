"""Lines of text that hold another text. However long the text is, a piece of it is held at a time."""

from collections.abc import AsyncIterator

from homestar import task, u64


@task
async def filter(text: AsyncIterator[bytes], needle: str) -> AsyncIterator[bytes]:
    """The lines of `text` that hold `needle`, as they come."""
    async for lines in found(text, needle):
        yield b"".join(lines)


@task
async def count(text: AsyncIterator[bytes], needle: str) -> u64:
    """How many lines of `text` hold `needle`."""
    return sum([len(lines) async for lines in found(text, needle)])


async def found(text: AsyncIterator[bytes], needle: str) -> AsyncIterator[list[bytes]]:
    """The lines that are found, those of one piece together."""
    rest = b""
    async for piece in text:
        # The last has no end yet.
        *lines, rest = (rest + piece).split(b"\n")
        if those := [line + b"\n" for line in lines if needle.encode() in line]:
            yield those
    if rest and needle.encode() in rest:
        yield [rest]
