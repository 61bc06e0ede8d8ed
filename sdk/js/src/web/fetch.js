// `fetch` with `Headers`, `Request` and `Response`, as browsers and Node.js have them, over `homestar:https`. A program that
// names `fetch` asks for that interface.

import { ReadableStream } from '#streams';
import https from '../effects/https.js';
import { decoded, encoded } from '../text.js';

export class Headers {
  /** Values by their names, which are in small letters. */
  #values = new Map();

  constructor(given = []) {
    const pairs = typeof given[Symbol.iterator] === 'function' ? given : Object.entries(given);
    for (const [name, value] of pairs) this.append(name, value);
  }

  append(name, value) {
    const key = String(name).toLowerCase();
    this.#values.set(key, [...(this.#values.get(key) ?? []), String(value).trim()]);
  }

  set(name, value) {
    this.delete(name);
    this.append(name, value);
  }

  delete(name) {
    this.#values.delete(String(name).toLowerCase());
  }

  get(name) {
    return this.#values.get(String(name).toLowerCase())?.join(', ') ?? null;
  }

  getSetCookie() {
    return [...(this.#values.get('set-cookie') ?? [])];
  }

  has(name) {
    return this.#values.has(String(name).toLowerCase());
  }

  forEach(each, its) {
    for (const [name, value] of this) each.call(its, value, name, this);
  }

  *entries() {
    for (const name of [...this.#values.keys()].sort()) {
      // Cookies can't be joined.
      if (name === 'set-cookie') yield* this.getSetCookie().map((value) => [name, value]);
      else yield [name, this.get(name)];
    }
  }

  *keys() {
    for (const [name] of this) yield name;
  }

  *values() {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }
}

function isStream(content) {
  return typeof content?.getReader === 'function';
}

/** What a request or a response carries: bytes, or a stream of them, once. */
class Body {
  /** `null`, bytes, or a stream. */
  #content;
  #isUsed = false;
  headers;

  constructor(content, headers) {
    this.headers = new Headers(headers);
    const isText = typeof content === 'string';
    this.#content = isStream(content) ? content : bytes(content);
    if (isText && !this.headers.has('content-type')) this.headers.set('content-type', 'text/plain;charset=UTF-8');
  }

  get body() {
    if (this.#content instanceof Uint8Array) this.#content = streamed(this.#content, () => (this.#isUsed = true));
    return this.#content;
  }

  get bodyUsed() {
    return this.#isUsed || (isStream(this.#content) && this.#content.locked);
  }

  async bytes() {
    if (this.bodyUsed) throw new TypeError('the body was read already');
    if (this.#content === null) return new Uint8Array();
    this.#isUsed = true;
    return this.#content instanceof Uint8Array ? this.#content : joined(this.#content);
  }

  async arrayBuffer() {
    return (await this.bytes()).slice().buffer;
  }

  async text() {
    const text = decoded(await this.bytes());
    return text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  async json() {
    return JSON.parse(await this.text());
  }

  /** The content for another like this one, too. */
  shared() {
    if (this.bodyUsed) throw new TypeError('the body was read already');
    if (!isStream(this.#content)) return this.#content;
    const [mine, other] = this.#content.tee();
    this.#content = mine;
    return other;
  }
}

/** Most bytes that are handed on at once. */
const PIECE_BYTES_MAX = 1 << 16;

function streamed(bytes, begins) {
  let at = 0;
  const pull = (controller) => {
    begins();
    if (at < bytes.length) controller.enqueue(bytes.slice(at, (at += PIECE_BYTES_MAX)));
    if (at >= bytes.length) controller.close();
  };
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}

async function joined(stream) {
  const pieces = [];
  let length = 0;
  for await (const piece of stream) {
    if (!(piece instanceof Uint8Array)) throw new TypeError('a body streams something else than Uint8Array');
    pieces.push(piece);
    length += piece.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function bytes(body) {
  if (body === null || body === undefined) return null;
  if (typeof body === 'string') return encoded(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice();
  if (body instanceof ArrayBuffer) return new Uint8Array(body).slice();
  throw new TypeError('a body is a string, bytes or a ReadableStream');
}

export class Request extends Body {
  constructor(input, init = {}) {
    const from = input instanceof Request ? input : {};
    const { method = from.method ?? 'GET', headers = from.headers, redirect = from.redirect ?? 'follow', signal } = init;
    if (signal) throw new TypeError('fetch takes no signal in a component; `https.send` of @homestar/sdk takes timeouts');
    if (!(redirect in REDIRECTS)) throw new TypeError(`fetch knows no redirect ${redirect}`);
    const name = String(method).toUpperCase();
    const body = init.body ?? (input instanceof Request ? input.shared() : null);
    const isBare = name === 'GET' || name === 'HEAD';
    if (isBare && body !== null) throw new TypeError(`a ${name} has no body`);
    super(body, headers);
    this.method = name;
    this.url = from.url ?? String(input);
    this.redirect = redirect;
  }

  clone() {
    return new Request(this);
  }
}

export class Response extends Body {
  constructor(body = null, { status = 200, statusText = '', headers, url = '', redirected = false } = {}) {
    super(body, headers);
    Object.assign(this, { status, statusText, url, redirected, type: 'default', ok: status >= 200 && status < 300 });
  }

  static json(value, init = {}) {
    const headers = new Headers(init.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(JSON.stringify(value), { ...init, headers });
  }

  clone() {
    return new Response(this.shared(), this);
  }
}

/** Redirects that are followed, by what is said of them. `error` follows none, and one is an error. */
const REDIRECTS = { follow: undefined, manual: 0, error: 0 };

export async function fetch(input, init) {
  const request = new Request(input, init);
  const { method, url, headers, redirect } = request;
  const response = https.send({
    method,
    url,
    headers: [...headers],
    body: await request.bytes(),
    redirects: REDIRECTS[redirect],
  });
  if (redirect === 'error' && response.status >= 300 && response.status < 400) {
    throw new TypeError(`${url} redirects`);
  }
  return new Response(response.body, { ...response, redirected: response.url !== url.split('#')[0] });
}
