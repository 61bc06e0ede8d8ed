"""Workflows for Homestar: functions whose calls are tasks.

    from homestar.flow import File, component, workflow

    image = component("image.wasm")

    @workflow
    def portrait(photo):
        face = image.crop(photo, 120, 40, 200, 180)
        return image.grayscale(face)

    run = portrait(File("cat.png")).run()
    run.result

A call returns at once, and what it returns stands for what the task will give: it is passed to other tasks as a value would
be. `homestar bind image.wasm --lang python` writes the functions of a component as a module, which type checkers read.
"""

from .. import char, f32, s8, s16, s32, s64, u8, u16, u32, u64
from .component import Component, component
from .content import Bytes, Content, File, Link, Secret
from .failures import Failure, HomestarError, RunError, WorkflowError
from .placeholder import Arg, Await, Each
from .program import Receipt, Run
from .task import Task
from .types import Case, Err, Ok, Record
from .workflow import Workflow, for_each, workflow

__all__ = [
    "Arg",
    "Await",
    "Bytes",
    "Case",
    "Component",
    "Content",
    "Each",
    "Err",
    "Failure",
    "File",
    "HomestarError",
    "Link",
    "Ok",
    "Receipt",
    "Record",
    "Run",
    "RunError",
    "Secret",
    "Task",
    "Workflow",
    "WorkflowError",
    "char",
    "component",
    "f32",
    "for_each",
    "s16",
    "s32",
    "s64",
    "s8",
    "u16",
    "u32",
    "u64",
    "u8",
    "workflow",
]
