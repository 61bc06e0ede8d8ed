// `crypto` of the web, as far as it needs no key of the host's: digests and what is made of them, by `homestar:crypto/digest`,
// which takes no grant, and random values of the task's. A program that names a part of it has that part.

import { bytes as entropy } from '#bindings/entropy';
import digest from '../effects/digest.js';

/** Most random bytes of one call. */
const RANDOM_BYTES_MAX = 65536;

export function homestarRandomValues(array) {
  const isWhole = ArrayBuffer.isView(array) && !(array instanceof DataView) && !/^Float/.test(array.constructor.name);
  if (!isWhole) throw new DOMException('random values go into an array of whole numbers', 'TypeMismatchError');
  if (array.byteLength > RANDOM_BYTES_MAX) {
    throw new DOMException(`one call gives ${RANDOM_BYTES_MAX} bytes at most`, 'QuotaExceededError');
  }
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(entropy(array.byteLength));
  return array;
}

export function homestarRandomUUID() {
  const bytes = Uint8Array.from(entropy(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** How hash functions are called here, and how many bytes they work on and give. */
const HASHES = {
  'SHA-256': { ours: 'sha256', block: 64, length: 32, jwk: 'HS256' },
  'SHA-384': { ours: 'sha384', block: 128, length: 48, jwk: 'HS384' },
  'SHA-512': { ours: 'sha512', block: 128, length: 64, jwk: 'HS512' },
};

/** What is asked for, as an object whose name is in capitals. */
function algorithm(given) {
  const { name, ...more } = typeof given === 'string' ? { name: given } : given;
  return { ...more, name: String(name).toUpperCase() };
}

function hash(given) {
  const { name } = algorithm(given ?? {});
  if (!HASHES[name]) throw unsupported(`${name} as a hash`, `it has ${Object.keys(HASHES).join(', ')}`);
  return { name, ...HASHES[name] };
}

function unsupported(what, words = '`keys` of @homestar/sdk has signatures, encryption and agreement') {
  return new DOMException(`crypto.subtle of a component hasn't ${what}; ${words}`, 'NotSupportedError');
}

/** The bytes of a buffer, or of what looks into one. */
function source(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new TypeError('bytes are wanted, of an ArrayBuffer or of an array that looks into one');
}

function together(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** HMAC (RFC 2104). */
function hmac({ ours, block }, key, message) {
  const padded = new Uint8Array(block);
  padded.set(key.length > block ? digest.hash(ours, key) : key);
  const [inner, outer] = [0x36, 0x5c].map((pad) => padded.map((byte) => byte ^ pad));
  return digest.hash(ours, together(outer, digest.hash(ours, together(inner, message))));
}

/** HKDF (RFC 5869). */
function hkdf(hash, secret, salt, info, length) {
  if (length > 255 * hash.length) throw new DOMException(`HKDF gives ${255 * hash.length} bytes at most`, 'OperationError');
  const key = hmac(hash, salt, secret);
  let last = new Uint8Array();
  const blocks = [];
  for (let count = 1; (count - 1) * hash.length < length; count += 1) {
    last = hmac(hash, key, together(last, info, Uint8Array.of(count)));
    blocks.push(last);
  }
  return together(...blocks).slice(0, length);
}

/** Whether two are the same, in a time that says nothing of where they differ. */
function same(one, other) {
  if (one.length !== other.length) return false;
  return one.reduce((differs, byte, at) => differs | (byte ^ other[at]), 0) === 0;
}

/** The bytes of keys, which a key itself doesn't show. */
const secrets = new WeakMap();

export class CryptoKey {
  constructor(secret, algorithm, extractable, usages) {
    secrets.set(this, secret);
    Object.assign(this, { type: 'secret', algorithm, extractable, usages });
  }
}

const USAGES = { HMAC: ['sign', 'verify'], HKDF: ['deriveBits', 'deriveKey'] };

function key(secret, given, extractable, usages) {
  const { name, hash: of, length } = algorithm(given);
  if (!USAGES[name]) throw unsupported(`keys for ${name}`);
  const wrong = usages.find((usage) => !USAGES[name].includes(usage));
  if (wrong) throw new DOMException(`a key for ${name} can't be for ${wrong}`, 'SyntaxError');
  if (usages.length === 0) throw new DOMException('a key is for something', 'SyntaxError');
  if (name === 'HKDF') {
    if (extractable) throw new DOMException('a key for HKDF is never given out', 'SyntaxError');
    return new CryptoKey(secret, { name }, extractable, usages);
  }
  if (secret.length === 0) throw new DOMException('a key for HMAC has a byte at least', 'DataError');
  if (length !== undefined && length !== secret.length * 8) {
    throw unsupported(`a key of ${secret.length * 8} bits as one of ${length}`, 'give the bytes that it has');
  }
  return new CryptoKey(secret, { name, hash: { name: hash(of).name }, length: secret.length * 8 }, extractable, usages);
}

/** The secret of a key that is for this. */
function used(key, usage, name) {
  if (key.algorithm.name !== name || !key.usages.includes(usage)) {
    throw new DOMException(`the key is not for ${usage} by ${name}`, 'InvalidAccessError');
  }
  return secrets.get(key);
}

function signed(given, key, data, usage) {
  const { name } = algorithm(given);
  if (name !== 'HMAC') throw unsupported(name);
  return hmac(hash(key.algorithm.hash), used(key, usage, name), source(data));
}

function derived(given, key, bits, usage) {
  const { name, hash: of, salt, info } = algorithm(given);
  if (name !== 'HKDF') throw unsupported(name);
  if (!Number.isInteger(bits) || bits < 0 || bits % 8 !== 0) throw new DOMException('the length is in whole bytes', 'OperationError');
  return hkdf(hash(of), used(key, usage, name), source(salt), source(info), bits / 8);
}

/** How many bits a key has that is made for this. */
function bits(given) {
  const { name, hash: of, length } = algorithm(given);
  if (name !== 'HMAC') throw unsupported(`keys for ${name}`);
  return length ?? hash(of).block * 8;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

function unbase64url(text) {
  if (typeof text !== 'string' || ![...text].every((letter) => LETTERS.includes(letter))) {
    throw new DOMException('`k` of a key in JSON is its bytes in base64url', 'DataError');
  }
  return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0));
}

// Every function is async, so that what is wrong rejects.
export const homestarSubtle = {
  async digest(given, data) {
    return Uint8Array.from(digest.hash(hash(given).ours, source(data).slice())).buffer;
  },

  async importKey(format, data, given, extractable, usages) {
    if (format === 'raw') return key(source(data).slice(), given, extractable, usages);
    if (format !== 'jwk') throw unsupported(`keys in the form ${format}`, 'it has raw and jwk');
    if (data?.kty !== 'oct') throw new DOMException('the key is none of bytes (`kty` is `oct`)', 'DataError');
    const made = key(unbase64url(data.k), given, extractable, usages);
    const jwk = made.algorithm.hash && HASHES[made.algorithm.hash.name].jwk;
    if (data.alg !== undefined && data.alg !== jwk) throw new DOMException(`the key is for ${data.alg}`, 'DataError');
    return made;
  },

  async exportKey(format, key) {
    if (!key.extractable) throw new DOMException('the key is not to be given out', 'InvalidAccessError');
    const secret = secrets.get(key);
    if (format === 'raw') return secret.slice().buffer;
    if (format !== 'jwk') throw unsupported(`keys in the form ${format}`, 'it has raw and jwk');
    const alg = HASHES[key.algorithm.hash.name].jwk;
    return { kty: 'oct', k: base64url(secret), alg, ext: true, key_ops: [...key.usages] };
  },

  async generateKey(given, extractable, usages) {
    return key(Uint8Array.from(entropy(Math.ceil(bits(given) / 8))), given, extractable, usages);
  },

  async sign(given, key, data) {
    return Uint8Array.from(signed(given, key, data, 'sign')).buffer;
  },

  async verify(given, key, signature, data) {
    return same(signed(given, key, data, 'verify'), source(signature));
  },

  async deriveBits(given, key, length) {
    return derived(given, key, length, 'deriveBits').buffer;
  },

  async deriveKey(given, from, wanted, extractable, usages) {
    return key(derived(given, from, bits(wanted), 'deriveKey'), wanted, extractable, usages);
  },

  async encrypt() {
    throw unsupported('encrypt');
  },

  async decrypt() {
    throw unsupported('decrypt');
  },

  async wrapKey() {
    throw unsupported('wrapKey');
  },

  async unwrapKey() {
    throw unsupported('unwrapKey');
  },
};

export const crypto = {
  getRandomValues: homestarRandomValues,
  randomUUID: homestarRandomUUID,
  subtle: homestarSubtle,
};
