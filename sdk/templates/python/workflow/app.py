"""Counts words. Each function is a task; flow.py makes a workflow of them."""

import re
from collections import Counter
from dataclasses import dataclass

from homestar import task, u32


@dataclass
class Word:
    """A word, and how often it stands there."""

    text: str
    times: u32


@task
def words(text: str) -> list[Word]:
    """The words of `text`."""
    counts = Counter(re.findall(r"\w+", text.lower()))
    return [Word(word, times) for word, times in counts.items()]


@task(raises=ValueError)
def top(counted: list[list[Word]], count: u32) -> list[Word]:
    """The most frequent words of several texts, `count` at most."""
    counts: Counter[str] = Counter()
    for words in counted:
        for word in words:
            counts[word.text] += word.times
    if not counts:
        raise ValueError("there are no words")
    return [Word(word, times) for word, times in counts.most_common(count)]
