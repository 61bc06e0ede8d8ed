"""What the modules for effects have in common.

Each calls one interface of Homestar's. A component imports those whose modules its program imports.
"""

import importlib

try:
    from componentize_py_types import Err
except ImportError:

    class Err(Exception):
        """What a recording answers where it was an error: this is no component."""

        def __init__(self, value):
            self.value = value


#: The interface behind each module of this package.
INTERFACES = {
    "homestar.digest": "homestar:crypto/digest@0.1.0",
    "homestar.dns": "homestar:dns/client@0.1.0",
    "homestar.https": "homestar:https/client@0.1.0",
    "homestar.keys": "homestar:crypto/keys@0.1.0",
    "homestar.log": "homestar:std/log@0.1.0",
    "homestar.random": "homestar:random/random@0.1.0",
    "homestar.state": "homestar:std/state@0.1.0",
}


class EffectError(Exception):
    """Why an effect didn't do it. `value` is what it says of that, if anything."""

    #: The message, in which `{0}` is the value.
    words = "{0}"

    def __init__(self, value=None):
        super().__init__(self.words.format(value))
        self.value = value


class NotInComponent(RuntimeError):
    """An effect was called where there is no host to do it."""


class Effect:
    """The interface behind a module, if this is a component or a recording is played."""

    #: What gives the functions of an interface in a test.
    recording = None

    def __init__(self, module: str, error: type[EffectError] = EffectError):
        self.module = module
        self.error = error
        self.own = bindings_of(INTERFACES[module])

    @property
    def bindings(self):
        if self.own is None and Effect.recording is not None:
            return Effect.recording(INTERFACES[self.module])
        return self.own

    @property
    def is_here(self) -> bool:
        return self.bindings is not None

    def call(self, name: str, *arguments):
        """Calls a function. Its error is raised as an exception of the module."""
        return self.ask(name, getattr(self.bindings, name, None), *arguments)

    def ask(self, name: str, function, *arguments):
        if not self.is_here:
            raise NotInComponent(
                f"{self.module}.{name} works in a component; in a test something stands in for it, such as "
                f"`unittest.mock.patch('{self.module}.{name}')`, or a recording, by `homestar.testing`"
            )
        try:
            return function(*arguments)
        except Err as error:
            raise self.told(error.value) from None

    def told(self, error) -> EffectError:
        """The exception for an error: `Error_TooLarge` is the subclass `TooLarge`."""
        case = type(error).__name__.rpartition("_")[2]
        of = next(one for one in self.error.__subclasses__() if one.__name__ == case)
        return of(getattr(error, "value", None))


def bindings_of(interface: str):
    """The module that bindings make of an interface, named by its last word unless two would have that name."""
    package, _, name = interface.partition("@")[0].partition("/")
    whole = f"{package}-{name}".replace(":", "-")
    for word in (whole, name):
        try:
            return importlib.import_module(f"wit_world.imports.{word.replace('-', '_')}")
        except ImportError:
            pass
    return None
