// What the web has and QuickJS hasn't, compared with what Node.js has.

import assert from 'node:assert/strict';
import { createHash, webcrypto } from 'node:crypto';
import { test } from 'node:test';
import digest from '../src/effects/digest.js';
import { crypto as ours } from '../src/web/crypto.js';
import { Headers as OurHeaders, Request as OurRequest, Response as OurResponse } from '../src/web/fetch.js';
import * as streams from '../src/web/streams.js';

const bytes = (length, first = 7) => Uint8Array.from({ length }, (_, at) => (first + at * 31) & 255);
const HASHES = ['SHA-256', 'SHA-384', 'SHA-512'];

function withDigests(t) {
  t.mock.method(digest, 'hash', (algorithm, text) => new Uint8Array(createHash(algorithm).update(text).digest()));
}

test('digests and what is made of them are those of Node.js', async (t) => {
  withDigests(t);
  const subtles = [ours.subtle, webcrypto.subtle];
  const same = async (does) => {
    const [mine, theirs] = await Promise.all(subtles.map(does));
    assert.deepEqual(mine, theirs);
  };
  for (const hash of HASHES) {
    for (const length of [0, 1, 63, 64, 65, 127, 128, 129, 1000]) {
      const data = bytes(length);
      await same((subtle) => subtle.digest(hash, data));
      await same((subtle) => subtle.digest({ name: hash.toLowerCase() }, data.buffer));
      await same(async (subtle) => {
        const key = await subtle.importKey('raw', bytes(length + 1), { name: 'HMAC', hash }, true, ['sign', 'verify']);
        const signature = await subtle.sign('HMAC', key, data);
        const verified = await subtle.verify({ name: 'hmac' }, key, signature, data);
        const cut = await subtle.verify('HMAC', key, signature.slice(1), data);
        const other = await subtle.verify('HMAC', key, signature, bytes(length + 1));
        const jwk = await subtle.exportKey('jwk', key);
        const again = await subtle.importKey('jwk', jwk, { name: 'HMAC', hash: { name: hash } }, true, ['verify']);
        const { algorithm, type, extractable, usages } = again;
        return [signature, verified, cut, other, jwk, await subtle.exportKey('raw', again), algorithm, type, extractable, usages];
      });
      await same(async (subtle) => {
        const key = await subtle.importKey('raw', data, 'HKDF', false, ['deriveBits', 'deriveKey']);
        const hkdf = { name: 'HKDF', hash, salt: bytes(length, 3), info: bytes(length, 5) };
        const derived = await subtle.deriveKey(hkdf, key, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']);
        return [await subtle.deriveBits(hkdf, key, 8 * (length + 1)), await subtle.exportKey('raw', derived)];
      });
    }
  }
  // A part of a buffer is that part.
  await same((subtle) => subtle.digest('SHA-256', bytes(10).subarray(3, 5)));
  await same((subtle) => subtle.digest('SHA-256', new DataView(bytes(10).buffer, 3, 2)));
});

test('what is wrong is refused as Node.js does', async (t) => {
  withDigests(t);
  const hmac = { name: 'HMAC', hash: 'SHA-256' };
  const keyOf = (subtle, ...more) => subtle.importKey('raw', bytes(3), hmac, ...more);
  for (const [name, wrong] of [
    ['NotSupportedError', (subtle) => subtle.digest('MD5', bytes(1))],
    ['TypeError', (subtle) => subtle.digest('SHA-256', 'text')],
    ['SyntaxError', (subtle) => keyOf(subtle, true, ['encrypt'])],
    ['SyntaxError', (subtle) => keyOf(subtle, true, [])],
    ['DataError', (subtle) => subtle.importKey('raw', bytes(0), hmac, true, ['sign'])],
    ['DataError', (subtle) => subtle.importKey('jwk', { kty: 'RSA' }, hmac, true, ['sign'])],
    ['DataError', (subtle) => subtle.importKey('jwk', { kty: 'oct', k: 'AA', alg: 'HS512' }, hmac, true, ['sign'])],
    ['InvalidAccessError', async (subtle) => subtle.exportKey('raw', await keyOf(subtle, false, ['sign']))],
    ['InvalidAccessError', async (subtle) => subtle.sign('HMAC', await keyOf(subtle, true, ['verify']), bytes(1))],
    ['SyntaxError', (subtle) => subtle.importKey('raw', bytes(1), 'HKDF', true, ['deriveBits'])],
  ]) {
    await assert.rejects(wrong(ours.subtle), { name }, wrong.toString());
    // Some versions of Node.js give other names.
    await assert.rejects(wrong(webcrypto.subtle), wrong.toString());
  }
  // Node.js has these, a component hasn't, and says so.
  await assert.rejects(ours.subtle.digest('SHA-1', bytes(1)), /hasn't SHA-1 as a hash; it has SHA-256, SHA-384, SHA-512/);
  await assert.rejects(ours.subtle.encrypt(), { name: 'NotSupportedError', message: /`keys` of @homestar\/sdk has signatures/ });
  await assert.rejects(ours.subtle.importKey('raw', bytes(16), 'AES-GCM', true, ['encrypt']), { name: 'NotSupportedError' });
});

test('random values fill what they are given', () => {
  for (const array of [new Uint8Array(9), new Int32Array(5), new BigUint64Array(2), bytes(20).subarray(4, 9)]) {
    assert.equal(ours.getRandomValues(array), array);
  }
  const within = new Uint8Array(100);
  ours.getRandomValues(within.subarray(40, 60));
  assert.ok(within.some((byte) => byte !== 0));
  assert.ok([...within.subarray(0, 40), ...within.subarray(60)].every((byte) => byte === 0));
  assert.match(ours.randomUUID(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  for (const [array, name] of [[new Float64Array(1), 'TypeMismatchError'], [new Uint8Array(65537), 'QuotaExceededError']]) {
    assert.throws(() => ours.getRandomValues(array), { name });
    assert.throws(() => webcrypto.getRandomValues(array), { name });
  }
});

test('headers, requests and responses are those of Node.js', async () => {
  const both = async (does) => {
    const mine = await does({ Headers: OurHeaders, Request: OurRequest, Response: OurResponse });
    assert.deepEqual(mine, await does({ Headers, Request, Response }));
  };
  await both(({ Headers }) => {
    const headers = new Headers([['B', '1'], ['a', ' 2 '], ['b', '3'], ['Set-Cookie', 'c=d'], ['set-cookie', 'e=f']]);
    headers.set('z', 9);
    headers.delete('A');
    headers.append('A', 'last');
    const seen = [];
    headers.forEach((value, name) => seen.push(`${name}: ${value}`));
    return [seen, [...headers], [...headers.keys()], [...headers.values()], headers.getSetCookie(), headers.get('none'), headers.has('B')];
  });
  await both(async ({ Headers, Response }) => {
    const one = new Response('{"a": 1}', { status: 201, statusText: 'made', headers: { x: 'y' } });
    const two = one.clone();
    const before = [one.bodyUsed, one.status, one.ok, one.statusText, one.url, one.redirected, [...one.headers]];
    const read = [await one.json(), await two.text(), one.bodyUsed, await one.text().catch((error) => error.name)];
    const json = Response.json([1], { headers: new Headers({ a: 'b' }) });
    const none = new Response();
    return [before, read, [...json.headers], await json.text(), none.body, await none.text(), none.bodyUsed];
  });
  await both(async ({ Response }) => {
    const pieces = ReadableStream.from([Uint8Array.of(0xef, 0xbb, 0xbf), Uint8Array.of(0xc3), Uint8Array.of(0xa4)]);
    const response = new Response(pieces);
    const [first, second] = [response.clone(), response];
    return [await first.text(), new Uint8Array(await second.arrayBuffer()), response.bodyUsed];
  });
  await both(async ({ Response }) => {
    const response = new Response('abc');
    const reader = response.body.getReader();
    const { value, done } = await reader.read();
    const end = await reader.read();
    return [[...value], done, end.done, await response.text().catch((error) => error.name)];
  });
  await both(async ({ Request }) => {
    const request = new Request('https://example.com/', { method: 'post', body: 'abc', headers: { a: 'b' } });
    const other = new Request(request, { method: 'PUT' });
    const thrown = (does) => assert.throws(does, TypeError);
    thrown(() => new Request('https://example.com/', { body: 'a' }));
    return [request.method, request.url, other.method, await other.text(), other.headers.get('a')];
  });
});

test('text in pieces is the text', async () => {
  const whole = async (stream) => {
    const pieces = [];
    for await (const piece of stream) pieces.push(piece);
    return pieces;
  };
  const text = 'a€😀é\ud83d';
  for (let size = 1; size <= 4; size += 1) {
    const encoded = new TextEncoder().encode(text);
    const cut = (of) => Array.from({ length: Math.ceil(of.length / size) }, (_, at) => of.slice(at * size, (at + 1) * size));
    const decodes = new streams.TextDecoderStream();
    const read = await whole(streams.ReadableStream.from(cut(encoded)).pipeThrough(decodes));
    assert.equal(read.join(''), new TextDecoder().decode(encoded));
    const encodes = new streams.TextEncoderStream();
    const written = await whole(streams.ReadableStream.from(cut(text)).pipeThrough(encodes));
    assert.deepEqual(Buffer.concat(written), Buffer.from(encoded));
  }
});
