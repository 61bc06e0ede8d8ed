// Counts words.

/** @import { u32 } from '@homestar/sdk' */

/**
 * A word, and how often it stands there.
 *
 * @typedef {object} Word
 * @property {string} text
 * @property {u32} times
 */

/**
 * The most frequent words of `text`, `count` at most.
 *
 * @param {string} text
 * @param {u32} count
 * @returns {Word[]}
 * @throws {string}
 */
export function topWords(text, count) {
  const times = new Map();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    times.set(word, (times.get(word) ?? 0) + 1);
  }
  if (times.size === 0) throw new Error('there are no words');
  const words = [...times].map(([text, times]) => ({ text, times }));
  return words.sort((a, b) => b.times - a.times).slice(0, count);
}
