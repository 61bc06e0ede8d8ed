"""A guest that asks acme:weather for a forecast, as src/lib.rs does in Rust."""

import wit_world
from componentize_py_types import Err
from wit_world.imports import forecast


class WitWorld(wit_world.WitWorld):
    def advice(self, server: str, place: str) -> str:
        try:
            today = forecast.today(server, place)
        except Err as error:
            raise Err(repr(error.value))
        if today.chance_of_rain > 0.5:
            return "take an umbrella"
        return "take a coat" if today.temperature < 10 else "go as you are"
