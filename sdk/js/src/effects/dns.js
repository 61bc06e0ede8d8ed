import * as own from '#bindings/dns';
import { caller } from './effect.js';

const call = caller('dns', own, {
  'not-found': () => 'there is no such name',
  timeout: () => 'no server answered in time',
});

export default {
  lookup: (name, type) => call('lookup', (bindings) => bindings.lookup(name, type)),
  addresses: (name) => call('addresses', (bindings) => bindings.addresses(name)),
  reverse: (address) => call('reverse', (bindings) => bindings.reverse(address)),
};
