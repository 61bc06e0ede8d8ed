"""Counts words."""

import re
from collections import Counter
from dataclasses import dataclass

from homestar import task, u32


@dataclass
class Word:
    """A word, and how often it stands there."""

    text: str
    times: u32


@task(raises=ValueError)
def top_words(text: str, count: u32) -> list[Word]:
    """The most frequent words of `text`, `count` at most."""
    words = re.findall(r"\w+", text.lower())
    if not words:
        raise ValueError("there are no words")
    return [Word(word, times) for word, times in Counter(words).most_common(count)]
