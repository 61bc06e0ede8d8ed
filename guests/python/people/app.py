"""Summarizes people, counts words, and looks at the clock and at random numbers."""

import random
import re
import time
from collections import Counter

import wit_world
from componentize_py_types import Err
from wit_world.imports.types import Error_Empty, Error_Implausible, Person, Summary

# Python is started while the component is built, and its memory is kept. What is drawn from
# `random.random()` was seeded then; SystemRandom asks the host each time.
dice = random.SystemRandom()


class WitWorld(wit_world.WitWorld):
    def summarize(self, people: list[Person]) -> Summary:
        if not people:
            raise Err(Error_Empty())
        oldest = max(people, key=lambda person: person.age)
        if oldest.age > 130:
            raise Err(Error_Implausible(oldest.name))
        average = sum(person.age for person in people) / len(people)
        return Summary(len(people), average, oldest)

    def at_least(self, people: list[Person], age: int) -> list[Person]:
        return [person for person in people if person.age >= age]

    def word_counts(self, text: str) -> list[tuple[str, int]]:
        words = re.split(r"[\s.,;:!?\"()]+", text.lower())
        counts = Counter(word for word in words if word)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    def reverse(self, bytes: bytes) -> bytes:
        return bytes[::-1]

    def now(self) -> float:
        return time.time() * 1000

    def random_number(self) -> float:
        return dice.random()
