// Counts words. Each function is a task; flow.js makes a workflow of them.

/** @import { u32 } from '@homestar/sdk' */

/**
 * A word, and how often it stands there.
 *
 * @typedef {object} Word
 * @property {string} text
 * @property {u32} times
 */

/**
 * The words of `text`.
 *
 * @param {string} text
 * @returns {Word[]}
 */
export function words(text) {
  const times = new Map();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    times.set(word, (times.get(word) ?? 0) + 1);
  }
  return [...times].map(([text, times]) => ({ text, times }));
}

/**
 * The most frequent words of several texts, `count` at most.
 *
 * @param {Word[][]} counted
 * @param {u32} count
 * @returns {Word[]}
 * @throws {string}
 */
export function top(counted, count) {
  const all = new Map();
  for (const { text, times } of counted.flat()) {
    all.set(text, { text, times: (all.get(text)?.times ?? 0) + times });
  }
  if (all.size === 0) throw new Error('there are no words');
  return [...all.values()].sort((a, b) => b.times - a.times).slice(0, count);
}
