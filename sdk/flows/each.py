import lines
import mender
import shapes
import text
import zoo
from homestar.flow import File, Task, Workflow, for_each, workflow


@workflow
def each(pages: File) -> dict[str, Task[int]]:
    counts = for_each(["a b", "c"], text.word_count)
    total = text.sum(counts)
    found = for_each(pages, lambda page, name: lines.count(page, name)).options(catch={"ok": 0})
    text.sum(found)
    for_each([1, 2.5], zoo.echo_f64)
    failed = mender.fail("no")
    shapes.twice(failed.error)
    shapes.twice(failed.outcome)
    shapes.twice({"a": [1, 2.5, None, b"f"], "b": total})
    caught = mender.fail("yes")
    spare = zoo.echo_u32(1).options(label="spare")
    caught.options(catch={"call": "on-error", "component": "mender.wasm", "rewire": [spare]})
    return {"total": total}


def flow() -> Workflow[dict[str, int]]:
    return each(File("pages"))
