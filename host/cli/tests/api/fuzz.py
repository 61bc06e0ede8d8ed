"""Lets schemathesis sign what it sends: each request, as it goes out, by the key that SIGNING_KEY names."""

import os

import requests
import schemathesis

from leave import Signer, command

# What stands there is replaced by a token for the request. Where it was left out on purpose, it stays out.
PLACE = "Bearer signed-when-sent"


# Names of what is there, for paths. Half of all requests are about it.
THERE = {
    name: os.environ[variable]
    for name, variable in (("run", "RUN"), ("receipt", "RECEIPT"), ("cid", "CONTENT"))
}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    for name, value in (path_parameters or {}).items():
        if name in THERE and sum(map(ord, str(value))) % 2:
            path_parameters[name] = THERE[name]
    return path_parameters


@schemathesis.serializer("application/vnd.ipld.car", "application/vnd.ipld.dag-cbor")
def as_bytes(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.auth()
class Auth:
    def get(self, case, context):
        return PLACE

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = data


send = requests.Session.send
signer = Signer(os.environ["SIGNING_KEY"])


def signed(session, request, **options):
    if request.headers.get("Authorization") == PLACE:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        path = request.path_url
        token = signer.token(command(request.method, path), request.method, path, body)
        request.headers["Authorization"] = f"Bearer {token}"
    return send(session, request, **options)


requests.Session.send = signed
