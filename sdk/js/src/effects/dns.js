import * as bindings from '#bindings/dns';
import { caller } from './effect.js';

const call = caller('dns', bindings, {
  'not-found': () => 'there is no such name',
  timeout: () => 'no server answered in time',
});

export default {
  lookup: (name, type) => call('lookup', () => bindings.lookup(name, type)),
  addresses: (name) => call('addresses', () => bindings.addresses(name)),
  reverse: (address) => call('reverse', () => bindings.reverse(address)),
};
