"""Keys and what is done with them, by `homestar:crypto`. The bytes of a private or secret one are the host's.

They need `homestar run --allow crypto` for keys that live as long as the task, and `--allow crypto=NAME` for a kept one.
"""

import enum

from .effect import Effect, EffectError


class Algorithm(enum.Enum):
    """What a key is for."""

    ED25519 = 0
    P256 = 1
    SECP256K1 = 2
    X25519 = 3
    AES128_GCM = 4
    AES256_GCM = 5
    CHACHA20_POLY1305 = 6
    #: For HMAC and HKDF.
    SECRET = 7


class Hash(enum.Enum):
    """Hash functions for HMAC and HKDF."""

    SHA256 = 0
    SHA384 = 1
    SHA512 = 2


class Error(EffectError):
    """Why not."""


class Denied(Error):
    """Not granted; the message says what would allow it."""


class Budget(Error):
    """The task's budget is used up."""


class NoKey(Error):
    """There is no key of that name."""

    words = "there is no such key"


class WrongAlgorithm(Error):
    """The key is for something else."""

    words = "the key is for something else"


class Size(Error):
    """A key, nonce, signature or text has a size that can't be."""


class InvalidKey(Error):
    """A public key that isn't one."""

    words = "this is no public key"


class Tampered(Error):
    """The text was tampered with, or key, nonce or additional data are others."""

    words = "the text was tampered with, or is of another key"


class Taken(Error):
    """A name is taken by another key."""

    words = "the name is another key's"


class Failed(Error):
    """The host failed to keep or find the key."""


effect = Effect(__name__, Error)


class Key:
    """A key. `with` lets go of it at the end."""

    def __init__(self, handle):
        self._handle = handle

    def __enter__(self) -> "Key":
        return self

    def __exit__(self, *error) -> None:
        self._handle.__exit__(*error)

    def _ask(self, name: str, *arguments):
        return effect.ask(f"Key.{name}", getattr(self._handle, name), *arguments)

    def keep(self, name: str) -> None:
        """Keeps it under a name, for later tasks."""
        self._ask("keep", name)

    def algorithm(self) -> Algorithm:
        """What it is for."""
        return Algorithm(self._ask("algorithm").value)

    def public_key(self) -> bytes:
        """Its public key: 32 bytes of Ed25519 or X25519, 33 on P-256 or secp256k1."""
        return self._ask("public_key")

    def sign(self, message: bytes) -> bytes:
        """Signs a message."""
        return self._ask("sign", message)

    def hmac(self, hash: Hash, message: bytes) -> bytes:
        """The HMAC of a message."""
        return self._ask("hmac", hash, message)

    def derive(self, hash: Hash, salt: bytes, info: bytes, algorithm: Algorithm) -> "Key":
        """Derives a key from it by HKDF."""
        return Key(self._ask("derive", hash, salt, info, algorithm))

    def agree(self, public_key: bytes) -> "Key":
        """Agrees by X25519 with the owner of a public key on a secret, from which to `derive` keys."""
        return Key(self._ask("agree", public_key))

    def encrypt(self, nonce: bytes, additional: bytes, plaintext: bytes) -> bytes:
        """Encrypts. A nonce has 12 bytes, and no two texts under one key may have the same."""
        return self._ask("encrypt", nonce, additional, plaintext)

    def decrypt(self, nonce: bytes, additional: bytes, ciphertext: bytes) -> bytes:
        """Decrypts what `encrypt` gave."""
        return self._ask("decrypt", nonce, additional, ciphertext)

    def open_sealed(self, info: bytes, additional: bytes, sealed: bytes) -> bytes:
        """Opens what `seal` gave."""
        return self._ask("open_sealed", info, additional, sealed)


def _made(name: str, method: str, *arguments) -> Key:
    maker = getattr(effect.bindings.Key, method) if effect.is_here else None
    return Key(effect.ask(name, maker, *arguments))


def generate(algorithm: Algorithm) -> Key:
    """Makes a key."""
    return _made("generate", "generate", algorithm)


def take(algorithm: Algorithm, private: bytes) -> Key:
    """Takes over a private or secret key."""
    return _made("take", "import_", algorithm, private)


def open(name: str) -> Key:
    """Opens the key that was kept under a name."""
    return _made("open", "open", name)


def verify(algorithm: Algorithm, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is that of a message under a public key."""
    return effect.call("verify", algorithm, public_key, message, signature)


def seal(public_key: bytes, info: bytes, additional: bytes, plaintext: bytes) -> bytes:
    """Seals a text so that only the owner of an X25519 key opens it (HPKE)."""
    return effect.call("seal", public_key, info, additional, plaintext)
