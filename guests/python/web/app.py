"""Asks for a page as any Python program does. Only the import of wasi_http is for WebAssembly."""

import urllib.request

import wasi_http  # noqa: F401
import wit_world
from componentize_py_types import Err


class WitWorld(wit_world.WitWorld):
    def page(self, url: str) -> str:
        try:
            with urllib.request.urlopen(url) as response:
                return f"{response.status} {response.read().decode(errors='replace')[:64]}"
        except (OSError, ValueError) as error:
            raise Err(str(error)) from None
