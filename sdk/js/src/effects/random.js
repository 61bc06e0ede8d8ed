import * as own from '#bindings/random';
import { caller } from './effect.js';

const call = caller('random', own, { 'too-many': (most) => `one call gives ${most} at most` });

export default {
  bytes: (length) => call('bytes', (bindings) => bindings.bytes(length)),

  // Of 64 bits, QuickJS would pass on 53.
  u64: () => call('u64', (bindings) => bindings.bytes(8).reduce((number, byte) => (number << 8n) | BigInt(byte), 0n)),

  range(start, end) {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) {
      throw new RangeError(`${start} to ${end} isn't between whole numbers of 53 bits`);
    }
    return call('range', (bindings) => bindings.range(start, end));
  },

  shuffle: (length) => call('shuffle', (bindings) => [...bindings.shuffle(length)]),
  uuid: () => call('uuid', (bindings) => bindings.uuid()),
};
