// Text as bytes and back. QuickJS has neither TextEncoder nor TextDecoder.

/** The bytes of a text. */
export function encoded(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));
}

/** Most characters that are made at once. */
const RUN_MAX = 4096;

/** The text of bytes in UTF-8, with U+FFFD for what isn't. */
export function decoded(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    let end = at;
    while (end < bytes.length && end - at < RUN_MAX && bytes[end] < 0x80) end += 1;
    if (end > at) {
      text += String.fromCharCode.apply(undefined, bytes.subarray(at, end));
      at = end;
      continue;
    }
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

/** How many bytes at the end begin a character of which more may come. */
function begun(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

export class TextEncoder {
  encoding = 'utf-8';

  encode(text = '') {
    // A half of a pair has no form in UTF-8.
    return encoded(String(text).replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd'));
  }
}

export class TextDecoder {
  encoding = 'utf-8';
  #rest = new Uint8Array();
  #isFirst = true;

  constructor(label = 'utf-8') {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`${label} is an encoding that isn't known here; utf-8 is`);
  }

  decode(given = new Uint8Array(), { stream = false } = {}) {
    const bytes = ArrayBuffer.isView(given)
      ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
      : new Uint8Array(given);
    const whole = new Uint8Array(this.#rest.length + bytes.length);
    whole.set(this.#rest);
    whole.set(bytes, this.#rest.length);
    const end = whole.length - (stream ? begun(whole) : 0);
    this.#rest = whole.slice(end);
    let text = decoded(whole.subarray(0, end));
    if (this.#isFirst && text.startsWith('\ufeff')) text = text.slice(1);
    this.#isFirst = !stream || (this.#isFirst && end === 0);
    return text;
  }
}
