"""An effect that offers acme:greetings/greet."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.greet import Error_UnknownLanguage

GREETINGS = {"en": "Hello", "fr": "Bonjour", "nb": "God dag", "sw": "Habari"}


class Greet(exports.Greet):
    def greet(self, name: str, language: str) -> str:
        if language not in GREETINGS:
            raise Err(Error_UnknownLanguage(sorted(GREETINGS)))
        return f"{GREETINGS[language]}, {name}!"
