import image
from homestar.flow import Bytes, File, Link, Task, Workflow, workflow


@workflow(retry=3, limits={"memory": "256MiB"})
def pictures(photo: File) -> list[Task[bytes]]:
    face = image.crop(photo, 120, 40, width=200, height=180)
    grey = image.grayscale(face)
    # Loops are unrolled.
    sharp, soft = [image.blur(grey, sigma) for sigma in (0.1, 2)]
    again = image.rotate90(sharp).options(label="again", grant=["random"], catch={"rewire": soft})
    known = Link("bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq")
    turned = image.rotate90(known).options(catch={"ok": b"\1\2\3\4"})
    return [again, turned, image.grayscale(b"\x89PNG").options(catch={"msg": "no picture"})]


def flow() -> Workflow[list[Bytes]]:
    return pictures(File("cat.png"))
