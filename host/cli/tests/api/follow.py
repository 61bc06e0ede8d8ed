"""follow.py KEY ADDRESS PATH: prints what comes by WebSocket, and the code by which it is closed."""

import sys

from leave import Signer, command
from websockets.sync.client import connect

key, address, path = sys.argv[1:]
token = Signer(key).token(command("GET", path), "GET", path)
with connect(f"ws://{address}{path}", additional_headers={"Authorization": f"Bearer {token}"}) as socket:
    for message in socket:
        print(message)
    print(socket.close_code)
