import math

import zoo
from homestar.flow import Err, Ok, Task, Workflow, workflow


@workflow
def values() -> Task[zoo.Person]:
    seven = zoo.echo_u32(7)
    one = zoo.echo_f64(1)
    text = zoo.echo_string('null "é"\n')
    person = zoo.echo_person(
        zoo.Person(
            name="Ada",
            age=None,
            home=zoo.Point(one, 2.5),
            work=zoo.Point(0.5, -0.0),
            portrait=b"\1\2\3",
            nick_names=["a", text],
            favourite=zoo.Color.DARK_GREY,
        )
    )
    zoo.echo_list_person([person])
    zoo.echo_shape(zoo.ShapeRectangle((1.0, one)))
    zoo.echo_shape(zoo.ShapeNothing())
    zoo.echo_shape(zoo.ShapeMaybe(seven))
    zoo.echo_permissions({zoo.Permissions.LIST_ALL, zoo.Permissions.READ})
    zoo.echo_option()
    zoo.echo_option_option((None,))
    zoo.echo_list_option([1, None, seven])
    zoo.echo_list_bytes([b"", b"\xff"])
    zoo.echo_pairs(list({"b": 1, "a": 2**64 - 1}.items()))
    zoo.echo_result_nested(Ok(Err("bad")))
    zoo.echo_result(Err(None)).options(catch={"ok": None})
    zoo.echo_tuple_nested(((255, True), ("ö", -1.5)))
    zoo.echo_f64(1e300)
    zoo.echo_f64(math.nan)
    zoo.echo_s64(-(2**63))
    zoo.numbers_twice(seven)
    zoo.words_twice(text)
    zoo.nothing()
    return person


def flow() -> Workflow[zoo.Person]:
    return values()
