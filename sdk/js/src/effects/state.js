import * as bindings from '#bindings/state';
import { caller } from './effect.js';

const call = caller('state', bindings, { 'too-large': (most) => `more than ${most} bytes` });

export default {
  get: (bucket, key) => call('get', () => bindings.get(bucket, key) ?? undefined),
  set: (bucket, key, value) => call('set', () => bindings.set(bucket, key, value)),
  delete: (bucket, key) => call('delete', () => bindings.delete(bucket, key)),
  keys: (bucket) => call('keys', () => bindings.list(bucket)),
};
