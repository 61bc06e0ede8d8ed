"""`python -m homestar`: builds the component of a project. `homestar build` calls it."""

import argparse
import importlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

from . import tasks
from .derive import DeriveError, Interface
from .effect import INTERFACES
from .lazy import imported_late

#: Where this package is: it goes into the component too.
SDK = pathlib.Path(__file__).parent.parent

#: How a file begins that may be written anew.
DERIVED = "// Derived from "


class BuildError(Exception):
    """Why there is no component."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m homestar", description="Builds the component of a project.")
    parser.add_argument("--name", required=True, help="what the world is called")
    parser.add_argument("--module", default="app", help="the module with the tasks")
    parser.add_argument("--wit", default="wit", type=pathlib.Path, help="the folder of WIT")
    parser.add_argument("--contracts", type=pathlib.Path, help="the folder of WIT with the interfaces of Homestar")
    parser.add_argument("--output", required=True, type=pathlib.Path, help="the component")
    options = parser.parse_args()
    try:
        build(options)
    except (BuildError, DeriveError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build(options) -> None:
    written = [file for file in sorted(options.wit.glob("*.wit")) if not file.read_text().startswith(DERIVED)]
    if written:
        # The module implements what somebody wrote, and can be imported only within its bindings.
        componentize(options, options.wit, [], options.module, ["-p", ".", "-p", SDK])
        return
    sys.path.insert(0, os.getcwd())
    load(options.module)
    if not tasks:
        raise BuildError(f"{options.module}.py has no task: a function with `@task` before it, of `from homestar import task`")
    interface = Interface(options.name, options.module)
    for task in tasks:
        interface.add(task)
    late = imported_late(own_modules())
    wit = interface.wit(f"{options.module}.py", asked_for(late))
    options.wit.mkdir(exist_ok=True)
    put(options.wit / f"{options.name}.wit", wit)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "homestar_component.py").write_text(interface.python(late))
        world = pathlib.Path(folder, "wit")
        world.mkdir()
        (world / "world.wit").write_text(wit)
        if options.contracts:
            shutil.copytree(options.contracts / "deps", world / "deps")
        paths = ["-p", folder, "-p", ".", "-p", SDK]
        componentize(options, world, ["-w", options.name], "homestar_component", paths)


def asked_for(late: list[str]) -> list[str]:
    """The interfaces behind the modules of ours that the program imports."""
    return [interface for module, interface in INTERFACES.items() if module in sys.modules or module in late]


#: Folders of a project whose files are somebody else's.
OTHERS = frozenset({".venv", "venv", "vendor", "site-packages"})


def is_own(file: str) -> bool:
    """Whether a file is one of the project's own."""
    here = pathlib.Path.cwd()
    path = pathlib.Path(file)
    return path.is_relative_to(here) and not OTHERS & set(path.relative_to(here).parts)


def own_modules() -> list:
    """The modules that were imported from the project."""
    return [module for module in list(sys.modules.values()) if is_own(getattr(module, "__file__", None) or "/")]


def load(module: str) -> None:
    """Imports the module with the tasks. An error in it is shown as Python does, without what is ours."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            raise BuildError(f"there is no {module}.py here") from None
        raise BuildError(told(error, module)) from None
    except Exception as error:
        raise BuildError(told(error, module)) from None


def told(error: BaseException, module: str) -> str:
    frame = error.__traceback__
    while frame and not is_own(frame.tb_frame.f_code.co_filename):
        frame = frame.tb_next
    # What can't be read as Python has no frame of its own.
    lines = traceback.format_exception(type(error), error, frame)
    return f"{module}.py can't be imported\n{''.join(lines).rstrip()}"


def componentize(options, wit: pathlib.Path, world: list[str], module: str, paths: list) -> None:
    if importlib.util.find_spec("componentize_py") is None:
        raise BuildError("componentize-py isn't installed; `pip install componentize-py` does it")
    output = options.output.with_suffix(".unfinished.wasm")
    # Its script has the path of an environment in it, and environments are moved.
    program = [sys.executable, "-c", "from componentize_py import script; raise SystemExit(script())"]
    command = [*program, "-d", wit, *world, "componentize", *paths, module, "-o", output]
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).split("Caused by:")[0].split("Stack backtrace:")[0]
        raise BuildError(f"componentize-py failed\n{said.strip()}")
    output.replace(options.output)


def put(file: pathlib.Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
