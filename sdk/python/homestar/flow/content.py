"""Files and links: content that is passed on by its name."""

from __future__ import annotations

import base64
import os
from typing import Any, Optional, Union

from . import program
from .failures import HomestarError

#: How pictures begin that notebooks show.
PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}

#: Larger pictures are not shown.
SHOWN_BYTES_MAX = 16 << 20


class File:
    """A file or folder, by a path, an `ipfs://` or an `https://` URL. A path is looked for where the program runs."""

    def __init__(self, name: Union[str, os.PathLike[str]]):
        self.name = os.fspath(name)
        if not self.name:
            raise ValueError("a file has a name")

    def __repr__(self) -> str:
        return f"File({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Link:
    """Content, by its CID."""

    def __init__(self, cid: str):
        self.cid = cid

    def read(self) -> Bytes:
        """All its bytes."""
        return Bytes(program.output(["cat", self.cid]))

    def text(self) -> str:
        """All of it, as text."""
        return self.read().decode()

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes it to a path where nothing is yet: a file, or a folder with all that is in it."""
        program.output(["get", self.cid, "--output", os.fspath(path)])

    def __repr__(self) -> str:
        return f"Link({self.cid!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Link) and other.cid == self.cid

    def __hash__(self) -> int:
        return hash(self.cid)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        shown = {"text/plain": repr(self)}
        try:
            begin = program.output(["cat", self.cid, "--length", "16"])
            if picture_type(begin):
                shown.update(picture(program.output(["cat", self.cid, "--length", str(SHOWN_BYTES_MAX + 1)])))
        except HomestarError:
            # A folder, or something that isn't here.
            pass
        return shown


class Bytes(bytes):
    """Bytes. In a notebook, a picture shows itself."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": brief(self), **picture(self)}


class Secret:
    """Stands for what a task gives that is secret: it doesn't leave the store."""

    def __repr__(self) -> str:
        return "<secret>"


#: What a parameter takes that is content: the bytes, a file, or a link. A path is a file.
Content = Union[bytes, File, Link, os.PathLike[str]]


def brief(value: bytes) -> str:
    text = bytes.__repr__(value[:40])
    return text if len(value) <= 40 else f"{text}… ({len(value):,} bytes)"


def picture_type(value: bytes) -> Optional[str]:
    return next((kind for begin, kind in PICTURES.items() if value.startswith(begin)), None)


def picture(value: bytes) -> dict[str, str]:
    """A picture as notebooks take it, and nothing if it is none."""
    kind = picture_type(value)
    if kind is None or len(value) > SHOWN_BYTES_MAX:
        return {}
    return {kind: base64.b64encode(value).decode()}
