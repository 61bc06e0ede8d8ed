"""Digests, by `homestar:crypto`. They need no grant. Outside of a component they are those of `hashlib`."""

import enum
import hashlib

from .effect import Effect


class Algorithm(enum.Enum):
    """Hash functions."""

    SHA256 = 0
    SHA384 = 1
    SHA512 = 2
    SHA3_256 = 3
    SHA3_384 = 4
    SHA3_512 = 5
    #: In a component only.
    BLAKE3 = 6


effect = Effect(__name__)


def hash(algorithm: Algorithm, text: bytes) -> bytes:
    """The digest of a text."""
    if effect.is_here or algorithm is Algorithm.BLAKE3:
        return effect.call("hash", algorithm, text)
    return hashlib.new(algorithm.name.lower(), text).digest()
