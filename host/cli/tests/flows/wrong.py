"""Calls that don't fit. Type checkers refuse each; without them, Python does where it can be known by then."""

import image
import text
import zoo
from homestar.flow import File, Link, for_each, workflow


@workflow
def wrong() -> None:
    seven = zoo.echo_u32(7)
    words = zoo.echo_string("words")
    picture = image.grayscale(File("cat.png"))
    zoo.echo_u33(7)  # type: ignore[attr-defined]
    zoo.echo_u32()  # type: ignore[call-arg]
    zoo.echo_u32(7, 8)  # type: ignore[call-arg]
    zoo.echo_u32(number=7)  # type: ignore[call-arg]
    zoo.echo_u32("7")  # type: ignore[arg-type]
    zoo.echo_u32(words)  # type: ignore[arg-type]
    zoo.echo_string(seven)  # type: ignore[arg-type]
    zoo.echo_list_u32(["7"])  # type: ignore[list-item]
    zoo.echo_list_u32([words])  # type: ignore[list-item]
    zoo.echo_point(zoo.Point(1))  # type: ignore[call-arg]
    zoo.echo_point(zoo.Point(1, "2"))  # type: ignore[arg-type]
    zoo.echo_color(zoo.Permissions.READ)  # type: ignore[arg-type]
    zoo.echo_shape(zoo.Point(1, 2))  # type: ignore[arg-type]
    image.grayscale("cat.png")  # type: ignore[arg-type]
    image.grayscale(seven)  # type: ignore[arg-type]
    text.word_count(picture)  # type: ignore[arg-type]
    zoo.echo_u32(seven.options(labels="a"))  # type: ignore[call-arg]
    # These are fine: content is content, and whole numbers are numbers.
    image.rotate90(picture)
    image.rotate90(Link("bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq"))
    zoo.echo_f64(1)
    zoo.echo_f64(seven)
    for_each([1, 2], zoo.echo_u32)
