import * as own from '#bindings/digest';
import { caller, encoded } from './effect.js';

const call = caller('digest', own);

export default {
  hash: (algorithm, text) =>
    call('hash', (bindings) => bindings.hash(algorithm, typeof text === 'string' ? encoded(text) : text)),
};
