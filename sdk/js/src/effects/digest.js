import * as bindings from '#bindings/digest';
import { caller, encoded } from './effect.js';

const call = caller('digest', bindings);

export default {
  hash: (algorithm, text) =>
    call('hash', () => bindings.hash(algorithm, typeof text === 'string' ? encoded(text) : text)),
};
