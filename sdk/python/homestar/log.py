"""Messages for people, by `homestar:std`. They stand in the task's log. Outside of a component they go to `logging`."""

import enum
import logging

from .effect import Effect


class Level(enum.Enum):
    """How important a message is."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4


effect = Effect(__name__)


def log(level: Level, message: str) -> None:
    """Writes a message to the log."""
    if effect.is_here:
        effect.call("log", level, message)
    else:
        # Numbers of `logging` are 10 for DEBUG to 40 for ERROR.
        logging.getLogger("homestar").log(max(level.value, 1) * 10, "%s", message)


def debug(message: str) -> None:
    """Says what helps to find a mistake."""
    log(Level.DEBUG, message)


def info(message: str) -> None:
    """Says what happened, as it should."""
    log(Level.INFO, message)


def warn(message: str) -> None:
    """Says what should not have happened, but could be dealt with."""
    log(Level.WARN, message)


def error(message: str) -> None:
    """Says what failed."""
    log(Level.ERROR, message)
