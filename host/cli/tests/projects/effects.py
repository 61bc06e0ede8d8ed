

# What a test adds to a project: every other effect.

from homestar import digest, dns, keys, log, random, state


@task(raises=https.Error)
def sent(url: str) -> str:
    log.info("sending")
    try:
        https.send("GET", url, max_bytes=3)
    except https.TooLarge as error:
        too_large = str(error)
    page = https.send("POST", url, headers=[("x-a", "b")], body=b"c", timeout_ms=30000)
    return f"{page.status} {page.header('Content-Length')} {too_large}"


@task(raises=dns.Error)
def looked_up(name: str) -> list[str]:
    assert dns.lookup(name, dns.RecordType.TXT) == []
    return dns.addresses(name)


@task(raises=random.Error)
def drawn() -> list[int]:
    assert 0 <= random.u64() < 2**64 and len(random.uuid()) == 36
    return [len(random.bytes(4)), random.range(3, 4), *sorted(random.shuffle(3))]


@task(raises=keys.Error)
def signed(text: str) -> bool:
    hash = digest.hash(digest.Algorithm.SHA256, text.encode())
    with keys.generate(keys.Algorithm.ED25519) as key:
        assert key.algorithm() is keys.Algorithm.ED25519
        return keys.verify(keys.Algorithm.ED25519, key.public_key(), hash, key.sign(hash))


@task(raises=keys.Error)
def wrongly() -> bytes:
    return keys.generate(keys.Algorithm.ED25519).encrypt(bytes(12), b"", b"")


@task(raises=state.Error)
def counted() -> list[str]:
    state.set("counts", "n", (state.get("counts", "n") or b"") + b"1")
    return state.keys("counts") + [state.get("counts", "n").decode()]


def divided(number: int) -> int:
    return 1 // number


@task
def ending(number: int) -> int:
    return divided(number)
