"""Finds what is imported only when a function is called.

A component has no files, so what isn't imported while it is built can't be imported at all.
"""

import ast
import inspect
import sys
import types

#: Modules of the standard library that do nothing in a component.
USELESS = frozenset(
    "antigravity asyncio concurrent ctypes curses dbm doctest ensurepip idlelib multiprocessing pdb pty pydoc readline "
    "rlcompleter signal socketserver sqlite3 ssl subprocess test this threading tkinter turtle tty unittest venv "
    "webbrowser winreg".split()
)


def imported_late(own: list[types.ModuleType]) -> list[str]:
    """What functions of these modules import, and functions of what these modules import themselves."""
    near = {value.__name__: value for module in own for value in reached(module)}
    names = set()
    for module in [*own, *near.values()]:
        names.update(late(module))
    return sorted(name for name in names if name.split(".")[0] not in USELESS)


def reached(module: types.ModuleType):
    """The modules that a module names, or whose functions and classes it does."""
    for value in list(vars(module).values()):
        if isinstance(value, types.ModuleType):
            yield value
        elif inspect.isclass(value) or inspect.isfunction(value):
            home = sys.modules.get(value.__module__)
            if home:
                yield home


def late(module: types.ModuleType) -> list[str]:
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return []
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    names = []
    for node in (node for function in functions for node in ast.walk(function)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module)
            # Each may be a module of its own.
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names
