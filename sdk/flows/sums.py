import add
from homestar.flow import Task, Workflow, workflow


@workflow
def sums(first: int) -> Task[int]:
    three = add.add(first, 2)
    five = add.add(three, 2)
    return add.add(five, three).options(
        label="total",
        limits={"fuel": "10M", "time": "2s", "call_bytes": "1MiB"},
        retry={"times": 2, "backoff": "200ms", "max": "1s"},
        reuse="1h",
        secret=False,
        nonce="again",
    )


def flow() -> Workflow[int]:
    return sums(1)
