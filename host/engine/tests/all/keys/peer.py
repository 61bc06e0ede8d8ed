"""The other side: checks what the driver made, and makes what the driver is to check.

Reads a JSON object from standard input and writes one to standard output, both as `keys.rs` describes them. Bytes are
in hexadecimal. What doesn't hold ends it with an error.
"""

import hmac
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils, x25519
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVES = {"p256": ec.SECP256R1(), "secp256k1": ec.SECP256K1()}
ORDERS = {
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}
CIPHERS = {
    "aes128-gcm": aead.AESGCM,
    "aes256-gcm": aead.AESGCM,
    "chacha20-poly1305": aead.ChaCha20Poly1305,
}
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
LENGTHS = [0, 1, 16, 63, 64, 65, 1000, 70_000]


def fields(case, *names):
    return [bytes.fromhex(case[name]) for name in names]


def hexed(**values):
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


def private_key(algorithm, private):
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(private)
    return ec.derive_private_key(int.from_bytes(private, "big"), CURVES[algorithm])


def public_bytes(key, is_compressed=True):
    key = key.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key.public_bytes_raw()
    form = PublicFormat.CompressedPoint if is_compressed else PublicFormat.UncompressedPoint
    return key.public_bytes(Encoding.X962, form)


def check_signature(case):
    algorithm = case["algorithm"]
    private, public, message, signature = fields(case, "private", "public", "message", "signature")
    assert public_bytes(private_key(algorithm, private)) == public
    if algorithm == "ed25519":
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    assert algorithm == "p256" or s <= ORDERS[algorithm] // 2
    key = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[algorithm], public)
    key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def make_signature(algorithm, length):
    private, message = os.urandom(32), os.urandom(length)
    key = private_key(algorithm, private)
    if algorithm == "ed25519":
        low = high = key.sign(message)
    else:
        order = ORDERS[algorithm]
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        low, high = (
            r.to_bytes(32, "big") + s.to_bytes(32, "big") for s in (min(s, order - s), max(s, order - s))
        )
    return hexed(
        algorithm=algorithm,
        private=private,
        public=public_bytes(key),
        uncompressed=public_bytes(key, is_compressed=False),
        message=message,
        signature=low,
        high=high,
    )


def check_ciphertext(case):
    private, nonce, additional = fields(case, "private", "nonce", "additional")
    plaintext, ciphertext = fields(case, "plaintext", "ciphertext")
    cipher = CIPHERS[case["algorithm"]](private)
    assert cipher.decrypt(nonce, ciphertext, additional) == plaintext
    assert cipher.encrypt(nonce, plaintext, additional) == ciphertext


def make_ciphertext(algorithm, length):
    private = os.urandom(16 if algorithm == "aes128-gcm" else 32)
    nonce, additional, plaintext = os.urandom(12), os.urandom(length // 3), os.urandom(length)
    ciphertext = CIPHERS[algorithm](private).encrypt(nonce, plaintext, additional)
    return hexed(
        algorithm=algorithm,
        private=private,
        nonce=nonce,
        additional=additional,
        plaintext=plaintext,
        ciphertext=ciphertext,
    )


def agreed(name, private, public, salt, info, message):
    """X25519, HKDF, and an HMAC under what comes of it, which shows that both sides have the same."""
    key = x25519.X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(x25519.X25519PublicKey.from_public_bytes(public))
    derived = HKDF(HASHES[name], 32, salt, info).derive(shared)
    return hmac.digest(derived, message, name)


def check_agreement(case):
    parts = fields(case, "private", "public", "salt", "info", "message")
    assert agreed(case["hash"], *parts) == bytes.fromhex(case["tag"])


def make_agreement(name, length):
    private, salt, info, message = os.urandom(32), os.urandom(length), os.urandom(length), os.urandom(length)
    public = x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()
    tag = agreed(name, private, public, salt, info, message)
    return hexed(hash=name, private=private, public=public, salt=salt, info=info, message=message, tag=tag)


def check_box(case):
    private, info, plaintext, sealed = fields(case, "private", "info", "plaintext", "sealed")
    key = x25519.X25519PrivateKey.from_private_bytes(private)
    assert SUITE.decrypt(sealed, key, info) == plaintext


def make_box(length):
    private, info, plaintext = os.urandom(32), os.urandom(length), os.urandom(length)
    key = x25519.X25519PrivateKey.from_private_bytes(private)
    sealed = SUITE.encrypt(plaintext, key.public_key(), info)
    return hexed(private=private, info=info, plaintext=plaintext, sealed=sealed)


def main():
    theirs = json.load(sys.stdin)
    for name, check in [
        ("signatures", check_signature),
        ("ciphertexts", check_ciphertext),
        ("agreements", check_agreement),
        ("boxes", check_box),
    ]:
        assert theirs[name], f"no {name}"
        for case in theirs[name]:
            check(case)
    ours = {
        "signatures": [make_signature(name, length) for name in ["ed25519", *CURVES] for length in LENGTHS],
        "ciphertexts": [make_ciphertext(name, length) for name in CIPHERS for length in LENGTHS],
        "agreements": [make_agreement(name, length) for name in HASHES for length in LENGTHS],
        "boxes": [make_box(length) for length in LENGTHS],
    }
    json.dump(ours, sys.stdout)


main()
