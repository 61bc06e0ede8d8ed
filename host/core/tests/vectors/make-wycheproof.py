"""Prints the signature vectors of Wycheproof in few bytes.

The one argument is a clone of https://github.com/C2SP/wycheproof at COMMIT.
"""

import json
import pathlib
import sys

COMMIT = "dac1dd4729fd1f8dd9e1e9f3dce51d783da6c166"
FILES = {
    "Ed25519": "ed25519_test",
    "P-256": "ecdsa_secp256r1_sha256_p1363_test",
    "secp256k1": "ecdsa_secp256k1_sha256_p1363_test",
}


def public_key(key):
    """Returns 32 bytes of Ed25519, or a compressed point."""
    if "pk" in key:
        return key["pk"]
    x, y = key["uncompressed"][2:66], key["uncompressed"][66:]
    return ("03" if int(y, 16) % 2 else "02") + x


def main():
    folder = pathlib.Path(sys.argv[1]) / "testvectors_v1"
    groups = []
    for algorithm, file in FILES.items():
        keys = {}
        for group in json.loads((folder / f"{file}.json").read_text())["testGroups"]:
            for test in group["tests"]:
                assert test["result"] in ("valid", "invalid")
                entry = [test["msg"], test["sig"], test["result"] == "valid", test["comment"]]
                keys.setdefault(public_key(group["publicKey"]), []).append(entry)
        groups += [{"algorithm": algorithm, "key": key, "tests": tests} for key, tests in keys.items()]
    print(json.dumps({"commit": COMMIT, "groups": groups}, separators=(",", ":")))


main()
