import { randomBytes } from 'node:crypto';

export function bytes(length) {
  return new Uint8Array(randomBytes(length));
}
