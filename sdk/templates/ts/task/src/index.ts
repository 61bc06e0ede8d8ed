// Counts words.

import type { u32 } from '@homestar/sdk';

/** A word, and how often it stands there. */
export interface Word {
  text: string;
  times: u32;
}

/**
 * The most frequent words of `text`, `count` at most.
 *
 * @throws {string}
 */
export function topWords(text: string, count: u32): Word[] {
  const times = new Map<string, u32>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    times.set(word, (times.get(word) ?? 0) + 1);
  }
  if (times.size === 0) throw new Error('there are no words');
  const words = [...times].map(([text, times]) => ({ text, times }));
  return words.sort((a, b) => b.times - a.times).slice(0, count);
}
