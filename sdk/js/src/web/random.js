// `Math.random`, whose seed QuickJS takes while the component is built: every task would have the same numbers. These follow
// from the task's instruction.

import insecure from 'wasi:random/insecure@0.2.12';
import { now } from '../now.js';

const { random } = Math;

/** Four numbers of 32 bits. */
let state;

/** One number after the other, by `xoshiro128**` of Blackman and Vigna. */
function next() {
  const [a, b, c, d] = state;
  const mixed = Math.imul(b, 5);
  const number = Math.imul((mixed << 7) | (mixed >>> 25), 9) >>> 0;
  const turned = d ^ b;
  state = [a ^ turned, b ^ c ^ a, c ^ a ^ (b << 9), (turned << 11) | (turned >>> 21)];
  return number;
}

export function homestarRandom() {
  if (!now.runs) return random();
  state ??= [...new Int32Array(Uint8Array.from(insecure.getInsecureRandomBytes(16)).buffer)];
  return ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}
