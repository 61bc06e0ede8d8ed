from wit_world import exports
from wit_world.exports import tasks


class Tasks(exports.Tasks):
    def add(self, a, b):
        return a + b

    def moved(self, point, by):
        return tasks.Point(point.x + by, point.y + by, point.name)

    def greet(self, name):
        return "Hello, " + name
