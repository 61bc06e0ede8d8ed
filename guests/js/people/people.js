// Summarizes people, counts words, and looks at the clock and at random numbers.

export function summarize(people) {
  if (people.length === 0) {
    throw { tag: 'empty' };
  }
  const oldest = people.reduce((a, b) => (b.age > a.age ? b : a));
  if (oldest.age > 130) {
    throw { tag: 'implausible', val: oldest.name };
  }
  const years = people.reduce((sum, person) => sum + person.age, 0);
  return { count: people.length, averageAge: years / people.length, oldest };
}

export function atLeast(people, age) {
  return people.filter((person) => person.age >= age);
}

export function wordCounts(text) {
  const counts = new Map();
  const words = text.toLowerCase().split(/[\s.,;:!?"()]+/);
  for (const word of words.filter((word) => word !== '')) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const byName = ([a], [b]) => (a < b ? -1 : 1);
  return [...counts].sort((a, b) => b[1] - a[1] || byName(a, b));
}

export function reverse(bytes) {
  return Uint8Array.from(bytes).reverse();
}

export function now() {
  return Date.now();
}

export function randomNumber() {
  return Math.random();
}
