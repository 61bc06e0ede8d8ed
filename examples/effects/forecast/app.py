"""A guest that asks acme:weather for a forecast, as src/lib.rs does in Rust."""

import wit_world
from wit_world.imports import forecast


class WitWorld(wit_world.WitWorld):
    def advice(self, server: str, place: str) -> str:
        today = forecast.today(server, place)
        if today.chance_of_rain >= 0.5:
            return "take an umbrella"
        return "take a coat" if today.temperature < 10 else "go as you are"
