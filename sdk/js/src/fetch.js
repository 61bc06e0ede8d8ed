// `fetch`, as browsers and Node.js have it, over `homestar:https`. A program that names it asks for that interface.

import https from './effects/https.js';
import { TextEncoder } from './text.js';

class Headers {
  #pairs = [];

  constructor(given = []) {
    const pairs = typeof given[Symbol.iterator] === 'function' ? given : Object.entries(given);
    for (const [name, value] of pairs) this.append(name, value);
  }

  append(name, value) {
    this.#pairs.push([String(name).toLowerCase(), String(value)]);
  }

  get(name) {
    const values = this.#pairs.filter(([key]) => key === String(name).toLowerCase()).map(([, value]) => value);
    return values.length > 0 ? values.join(', ') : null;
  }

  has(name) {
    return this.get(name) !== null;
  }

  forEach(each) {
    for (const [name, value] of this) each(value, name, this);
  }

  [Symbol.iterator]() {
    return this.#pairs[Symbol.iterator]();
  }
}

class Response {
  #response;

  constructor(response, asked) {
    this.#response = response;
    this.status = response.status;
    this.ok = response.status >= 200 && response.status < 300;
    this.headers = new Headers(response.headers);
    this.url = response.url;
  }

  async bytes() {
    return this.#response.body;
  }

  async arrayBuffer() {
    return this.#response.body.slice().buffer;
  }

  async text() {
    return this.#response.text();
  }

  async json() {
    return this.#response.json();
  }
}

/** Redirects that are followed, by what is said of them. `error` follows none, and one is an error. */
const REDIRECTS = { follow: undefined, manual: 0, error: 0 };

export async function fetch(input, init = {}) {
  const { method = 'GET', headers = [], body = '', redirect = 'follow', signal } = init;
  if (signal) throw new TypeError('fetch takes no signal in a component; `https.send` of @homestar/sdk takes timeouts');
  if (!(redirect in REDIRECTS)) throw new TypeError(`fetch knows no redirect ${redirect}`);
  const asked = String(input);
  const response = https.send({
    method: String(method).toUpperCase(),
    url: asked,
    headers: [...new Headers(headers)],
    body: bytes(body),
    redirects: REDIRECTS[redirect],
  });
  if (redirect === 'error' && response.status >= 300 && response.status < 400) {
    throw new Error(`${asked} redirects`);
  }
  return new Response(response, asked);
}

function bytes(body) {
  if (body === null || body === undefined) return new Uint8Array();
  if (typeof body === 'string') return new TextEncoder().encode(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  throw new TypeError('a body is a string or bytes');
}
