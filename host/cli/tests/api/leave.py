"""Signs tokens for a node's API, by the key in a PEM file: what docs/node.md says, and nothing of ours.

As a program: leave.py KEY METHOD PATH [BODY] prints one.
"""

import base64
import hashlib
import os
import sys
import time

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Link:
    """A CID, in bytes."""

    def __init__(self, cid):
        self.cid = cid


def raw(content):
    """The name of some bytes: CIDv1, raw, SHA2-256."""
    return Link(b"\x01\x55\x12\x20" + hashlib.sha256(content).digest())


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for more, length in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * length:
            return bytes([major << 5 | more]) + number.to_bytes(length, "big")
    raise ValueError(number)


def encode(value):
    """DAG-CBOR, as far as tokens need it."""
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, Link):
        return b"\xd8\x2a" + encode(b"\x00" + value.cid)
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return head(5, len(keys)) + b"".join(encode(key) + encode(value[key]) for key in keys)


def base58(content):
    number, text = int.from_bytes(content, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return text


class Signer:
    """A key of Ed25519. The node is one's own, so there is nothing to rest on."""

    # EdDSA by Ed25519 over SHA2-512 of DAG-CBOR.
    HEADER = bytes.fromhex("3401ed01ed011371")

    def __init__(self, path):
        with open(path, "rb") as file:
            self.key = load_pem_private_key(file.read(), password=None)
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.did = "did:key:z" + base58(b"\xed\x01" + public)

    def token(self, command, method, path, body=b"", expires=60):
        arguments = {"method": method, "path": path}
        if body:
            arguments["body"] = raw(body)
        payload = {
            "iss": self.did,
            "sub": self.did,
            "cmd": command,
            "args": arguments,
            "prf": [],
            "nonce": os.urandom(12),
            "exp": int(time.time()) + expires,
        }
        signed = {"h": self.HEADER, "ucan/inv@1.0.0": payload}
        envelope = encode([self.key.sign(encode(signed)), signed])
        container = encode({"ctn-v1": [envelope]})
        return "C" + base64.urlsafe_b64encode(container).decode().rstrip("=")


def command(method, path):
    """What one has to be let for a request, as the description says."""
    path = path.split("?")[0]
    if path.startswith("/v1/runs"):
        return "/homestar/node/run"
    if path.startswith("/v1/content"):
        return "/homestar/node/write"
    if method == "POST" and path in ("/v1/connect", "/v1/shared", "/v1/stop"):
        return "/homestar/node/admin"
    return "/homestar/node/read"


if __name__ == "__main__":
    key, method, path = sys.argv[1:4]
    body = sys.argv[4].encode() if len(sys.argv) > 4 else b""
    print(Signer(key).token(command(method, path), method, path, body))
