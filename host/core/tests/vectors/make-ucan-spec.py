"""Writes ucan-spec.json to the standard output. See README.md.

Takes two clones: of github.com/ucan-wg/spec and of github.com/ucan-wg/container.
"""

import base64
import json
import subprocess
import sys

SPEC = "9955aa1fb7b32897f80b57651f4ee8b22ebf35a7"
# The policies of the commit above are not JSON; this one, of a pull request, mends them.
POLICY = "158d11c09874178466362fe4a4735c766c770f74"
CONTAINER = "e2d733deafee7e556921235d0885f65df4e2aa14"
CONTAINERS = [
    "Bytes",
    "BytesGzipped",
    "Base64StdPadding",
    "Base64StdPaddingGzipped",
    "Base64URL",
    "Base64URLGzipped",
]

spec, container = sys.argv[1:]


def show(clone, commit, path):
    done = subprocess.run(
        ["git", "-C", clone, "show", f"{commit}:{path}"], check=True, capture_output=True
    )
    return done.stdout


def unpadded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4)).hex()


def chain(vector):
    return {
        "name": vector["name"],
        "invocation": unpadded(vector["invocation"]["/"]["bytes"]),
        "proofs": [unpadded(proof["/"]["bytes"]) for proof in vector["proofs"]],
        "time": vector["time"],
        "error": vector.get("error", {}).get("name"),
    }


fixtures = "fixtures/1.0.0/{}.json"
invocations = json.loads(show(spec, SPEC, fixtures.format("invocation")))
delegations = json.loads(show(spec, SPEC, fixtures.format("delegation")))
policies = json.loads(show(spec, POLICY, fixtures.format("policy")))
written = {
    "made_by": "make-ucan-spec.py",
    "chains": [chain(one) for one in invocations["valid"] + invocations["invalid"]],
    "delegations": [
        {
            "name": one["name"],
            "token": base64.b64decode(one["token"]).hex(),
            "cid": one["cid"],
            "payload": one["envelope"]["payload"],
        }
        for one in delegations["valid"]
    ],
    "policies": [
        {"args": one["args"], "policy": policy, "holds": holds}
        for key, holds in [("valid", True), ("invalid", False)]
        for one in policies[key]
        for policy in one["policies"]
    ],
    "containers": [
        {
            "name": name,
            "bytes": show(container, CONTAINER, f"testvectors/{name}").hex(),
        }
        for name in CONTAINERS
    ],
}
json.dump(written, sys.stdout, indent=1)
print()
