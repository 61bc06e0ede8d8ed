"""Ends a task whose exception nobody declared, in the words of its program."""

import os
import sys
import traceback


def tell(error: BaseException) -> None:
    """Writes the traceback as the last words: what the runtime would add, that it can't go on, helps nobody."""
    told = traceback.TracebackException.from_exception(error)
    trim(told)
    name, place = getattr(error, "task", ("", ""))
    if place:
        # No line of the program is at fault but that of the task.
        file, _, line = place.rpartition(":")
        told.stack.append(traceback.FrameSummary(file, int(line), name, lookup_line=False))
    print("".join(told.format()), end="", file=sys.stderr, flush=True)
    os.close(2)


def trim(told: traceback.TracebackException) -> None:
    """Leaves out what isn't the program's."""
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if not is_ours(frame.filename)])
    for other in (told.__cause__, told.__context__):
        if other:
            trim(other)


def is_ours(file: str) -> bool:
    """Whether a file is the SDK's, or was made by it. In a component, each is called as in its folder of the path."""
    return file.startswith("homestar/") or file.endswith("/homestar_component.py")
