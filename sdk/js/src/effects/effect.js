// What the modules for effects have in common.

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
  return (name, call) => {
    const isHere = Object.keys(bindings).length > 0;
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

/** The bytes of a text. QuickJS has no TextEncoder. */
export function encoded(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));
}

/** The text of bytes in UTF-8, with U+FFFD for what isn't. QuickJS has no TextDecoder. */
export function decoded(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const [length, point] = one(bytes, at);
    text += String.fromCodePoint(point);
    at += length;
  }
  return text;
}

/** How long the character at `at` is, and which. */
function one(bytes, at) {
  const first = bytes[at];
  if (first < 0x80) return [1, first];
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  let point = first & (0x7f >> length);
  for (let next = 1; next < length; next += 1) {
    const byte = bytes[at + next];
    if (byte === undefined || (byte & 0xc0) !== 0x80) return [1, 0xfffd];
    point = (point << 6) | (byte & 0x3f);
  }
  const least = [0x80, 0x800, 0x10000][length - 2];
  const isOne = first >= 0xc2 && first < 0xf5 && point >= least && point <= 0x10ffff && !(point >= 0xd800 && point < 0xe000);
  return isOne ? [length, point] : [1, 0xfffd];
}
