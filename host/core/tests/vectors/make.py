"""Writes python.json to the standard output. See README.md."""

import json

import dag_cbor
from multiformats import CID, multihash

HELLO = CID("base32", 1, "raw", multihash.digest(b"hello", "sha2-256"))

# A value, and its DAG-JSON written by hand.
VALUES = [
    ("null", None, "null"),
    ("integers", [0, 23, 24, 2**64 - 1, -1, -(2**64)],
     "[0,23,24,18446744073709551615,-1,-18446744073709551616]"),
    ("floats", [1.0, 0.5, -1e100], "[1.0,0.5,-1e+100]"),
    ("texts", ["", "é日😀"], '["","é日😀"]'),
    ("bytes", bytes(range(5)), '{"/":{"bytes":"AAECAwQ"}}'),
    ("keys", {"b": 1, "aa": 2, "a": 3, "é": 4}, '{"a":3,"aa":2,"b":1,"é":4}'),
    ("a link", HELLO, '{"/":"%s"}' % HELLO),
    ("an instruction",
     {"rsc": HELLO, "op": "wasm/run", "input": {"func": "f", "args": [], "stdin": b""}, "nnc": b"\x07" * 12},
     '{"input":{"args":[],"func":"f","stdin":{"/":{"bytes":""}}},"nnc":{"/":{"bytes":"BwcHBwcHBwcHBwcH"}},'
     '"op":"wasm/run","rsc":{"/":"%s"}}' % HELLO),
]


def vector(name, value, text):
    data = dag_cbor.encode(value)
    cid = CID("base32", 1, "dag-cbor", multihash.digest(data, "sha2-256"))
    return {"name": name, "json": text, "cbor": data.hex(), "cid": str(cid)}


def verdict(data):
    try:
        dag_cbor.decode(data)
        return "taken"
    except Exception:
        return "refused"


with open("javascript.json", encoding="utf-8") as file:
    refused = json.load(file)["refused"]

document = {
    "made_by": "make.py with dag-cbor 0.3.3, multiformats 0.3.1.post4",
    "values": [vector(*row) for row in VALUES],
    "refused": [
        {"name": row["name"], "cbor": row["cbor"], "python": verdict(bytes.fromhex(row["cbor"]))} for row in refused
    ],
}
print(json.dumps(document, indent=1, ensure_ascii=False))
