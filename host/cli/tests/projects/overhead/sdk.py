from dataclasses import dataclass

from homestar import task, u32


@dataclass
class Point:
    x: float
    y: float
    name: str


@task
def add(a: u32, b: u32) -> u32:
    return a + b


@task
def moved(point: Point, by: float) -> Point:
    return Point(point.x + by, point.y + by, point.name)


@task
def greet(name: str) -> str:
    return "Hello, " + name
