"""Takes and gives values of any shape, by `homestar:std/ipld`."""

import wit_world
from componentize_py_types import Err
from wit_world.imports.ipld import Kind, Value


class WitWorld(wit_world.WitWorld):
    def twice(self, of: Value) -> Value:
        return asked(doubled, of)

    def twice_json(self, of: str) -> str:
        return asked(lambda: doubled(Value.of_dag_json(of)).to_dag_json())

    def find(self, in_: Value, paths: list[str]) -> tuple[str, list[Value | None]]:
        return in_.cid(), [at(in_, path) for path in paths]


def doubled(value: Value) -> Value:
    match value.kind():
        case Kind.INTEGER:
            return Value.of_decimal(str(2 * int(value.as_decimal())))
        case Kind.LIST:
            return Value.of_list([doubled(item) for item in value.as_list()])
        case Kind.MAP:
            return Value.of_map([(key, doubled(item)) for key, item in value.as_map()])
        case _:
            return value.copy()


def at(value: Value, path: str) -> Value | None:
    try:
        return value.at(path)
    except Err:
        return None


def asked(function, *arguments):
    """Calls a function. An error of `ipld` becomes one of ours, as text."""
    try:
        return function(*arguments)
    except Err as error:
        raise Err(str(error.value)) from None
