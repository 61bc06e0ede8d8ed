"""Asks the outside through effects: a page, an address, a number, a signature."""

import wit_world
from componentize_py_types import Err
from wit_world.imports import digest, homestar_crypto_types, keys, random
from wit_world.imports import homestar_dns_client as dns
from wit_world.imports import homestar_https_client as https


class WitWorld(wit_world.WitWorld):
    def fetch(self, url: str) -> str:
        page = asked(https.get, url)
        start = page.body[:64].decode('ascii', 'replace').replace('\ufffd', '?')
        return f"{page.status} {start}"

    def look_up(self, name: str) -> list[str]:
        return asked(dns.addresses, name)

    def draw(self) -> int:
        return asked(random.u64)

    def hash_and_sign(self, text: str) -> bytes:
        hash = digest.hash(digest.Algorithm.SHA256, text.encode())
        with asked(keys.Key.generate, homestar_crypto_types.Algorithm.ED25519) as key:
            return asked(key.sign, hash)


def asked(function, *arguments):
    """Calls an effect. Its error becomes one of ours, as text."""
    try:
        return function(*arguments)
    except Err as error:
        raise Err(str(error.value)) from None
