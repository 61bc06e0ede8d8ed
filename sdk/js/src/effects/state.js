import * as own from '#bindings/state';
import { caller } from './effect.js';

const call = caller('state', own, { 'too-large': (most) => `more than ${most} bytes` });

export default {
  get: (bucket, key) => call('get', (bindings) => bindings.get(bucket, key) ?? undefined),
  set: (bucket, key, value) => call('set', (bindings) => bindings.set(bucket, key, value)),
  delete: (bucket, key) => call('delete', (bindings) => bindings.delete(bucket, key)),
  keys: (bucket) => call('keys', (bindings) => bindings.list(bucket)),
};
