export const tasks = {
  add(a, b) {
    return a + b;
  },
  moved(point, by) {
    return { x: point.x + by, y: point.y + by, name: point.name };
  },
  greet(name) {
    return 'Hello, ' + name;
  },
};
