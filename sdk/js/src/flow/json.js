// DAG-JSON, where 1 and 1.0 are two things and integers have up to 64 bits.

/** A number that is written with a fraction, though it may have none. */
export class Float {
  constructor(value) {
    this.value = value;
  }
}

/** Writes a value. What can say itself how it is written, with the labels of tasks, does. */
export function print(value, labels, indent = '') {
  if (value instanceof Float) return /[.e]/.test(String(value.value)) ? String(value.value) : `${value.value}.0`;
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (typeof value.written === 'function') return print(value.written(labels), labels, indent);
  const within = `${indent}  `;
  const isList = Array.isArray(value);
  const lines = isList
    ? value.map((one) => print(one, labels, within))
    : Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${print(one, labels, within)}`);
  const [open, close] = isList ? '[]' : '{}';
  if (lines.length === 0) return open + close;
  return `${open}\n${within}${lines.join(`,\n${within}`)}\n${indent}${close}`;
}

/** A key that no map has by chance. */
const LARGE = '\u0000large';

/** Reads a text. Integers that a number would round are of type bigint. */
export function parse(text) {
  const kept = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? JSON.stringify({ [LARGE]: token }) : token,
  );
  return JSON.parse(kept, (_, value) => (value !== null && typeof value === 'object' && LARGE in value ? BigInt(value[LARGE]) : value));
}
