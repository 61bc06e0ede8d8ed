// Counts words. Each function is a task; flow.ts makes a workflow of them.

import type { u32 } from '@homestar/sdk';

/** A word, and how often it stands there. */
export interface Word {
  text: string;
  times: u32;
}

/** The words of `text`. */
export function words(text: string): Word[] {
  const times = new Map<string, u32>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    times.set(word, (times.get(word) ?? 0) + 1);
  }
  return [...times].map(([text, times]) => ({ text, times }));
}

/**
 * The most frequent words of several texts, `count` at most.
 *
 * @throws {string}
 */
export function top(counted: Word[][], count: u32): Word[] {
  const all = new Map<string, Word>();
  for (const { text, times } of counted.flat()) {
    all.set(text, { text, times: (all.get(text)?.times ?? 0) + times });
  }
  if (all.size === 0) throw new Error('there are no words');
  return [...all.values()].sort((a, b) => b.times - a.times).slice(0, count);
}
