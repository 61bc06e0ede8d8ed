// What the modules for effects have in common.

import { early, now } from '../now.js';

export { decoded, encoded } from '../text.js';

/** Why an effect didn't do it: `kind` is the case, `value` what it says of that, if anything. */
export class EffectError extends Error {
  constructor(kind, value, message = value === undefined ? kind : String(value)) {
    super(message);
    this.name = 'EffectError';
    this.kind = kind;
    this.value = value;
  }
}

/** What gives the functions of an interface in a test: a recording. */
let recording;

/** Lets `functions` answer, or nobody. */
export function play(functions) {
  recording = functions;
}

/**
 * What calls the functions of `bindings` for a module of ours. An error of theirs is thrown as ours; `words` has the message
 * of each case whose value isn't one.
 */
export function caller(module, bindings, words = {}) {
  const isHere = Object.keys(bindings).length > 0;
  return (name, call) => {
    if (isHere && !now.runs) throw early(`${module}.${name}`);
    if (!isHere && !recording) {
      throw new Error(
        `${module}.${name} works in a component; in a test something stands in for it, such as ` +
          `\`mock.method(${module}, '${name}', …)\` of node:test, or a recording, by \`@homestar/sdk/testing\``,
      );
    }
    try {
      return call(isHere ? bindings : recording(module));
    } catch (error) {
      throw told(error, words);
    }
  };
}

function told(error, words) {
  const payload = error?.payload ?? error;
  const kind = typeof payload === 'string' ? payload : payload?.tag;
  if (kind === undefined || payload instanceof Error) return error;
  return new EffectError(kind, payload.val, words[kind]?.(payload.val));
}
