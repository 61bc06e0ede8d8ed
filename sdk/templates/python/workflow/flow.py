"""The most frequent words of several texts: `python flow.py 'a text' 'and another'`."""

import sys

import component
from homestar.flow import workflow


@workflow
def top_words(texts: list[str]):
    # Each text is a task, and what it gives is passed on as a value would be.
    counted = [component.words(text) for text in texts]
    return component.top(counted, 3)


if __name__ == "__main__":
    run = top_words(sys.argv[1:] or ["to be or not to be", "let it be"]).run()
    for word in run.result:
        print(word.text, word.times)
