import random from 'wasi:random/random@0.2.12';
import { early, now } from '../now.js';

/** Random bytes of the task's. */
export function bytes(length) {
  if (!now.runs) throw early('a random number');
  return random.getRandomBytes(length);
}
