// Recordings in the place of effects.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EffectError } from '../src/index.js';
import digest from '../src/effects/digest.js';
import dns from '../src/effects/dns.js';
import https from '../src/effects/https.js';
import keys from '../src/effects/keys.js';
import random from '../src/effects/random.js';
import state from '../src/effects/state.js';
import { recorded } from '../src/testing.js';

const folder = mkdtempSync(join(tmpdir(), 'homestar-'));
const file = join(folder, 'calls.json');
after(() => rmSync(folder, { recursive: true }));

const b = (bytes) => ({ '/': { bytes } });
const call = (name, args, answer) => ({ call: `homestar:${name}`, args, answer });

const PAGE = { body: b('YWJj'), headers: [['a', 'b']], status: 200, url: 'https://example.com/' };
const OPTIONS = { 'connect-timeout-ms': null, 'max-bytes': 3, redirects: null, 'timeout-ms': null };
const GET = call('https/client.get', ['https://example.com/'], { ok: PAGE });

function write(calls, out = { ok: b('AQI') }) {
  writeFileSync(file, JSON.stringify({ func: 'f', args: [b('AA'), { a: 1 }], calls, out }));
  return file;
}

test('answers are those of the modules', () => {
  const request = { body: b('Yw'), headers: [['x', 'y']], method: 'PUT', options: OPTIONS, url: 'https://a/' };
  const records = [
    { data: { mx: { exchange: 'mail.a', preference: 10 } }, name: 'a', ttl: 60 },
    { data: { a: '192.0.2.1' }, name: 'a', ttl: 60 },
    { data: { txt: [b('YQ')] }, name: 'a', ttl: 60 },
  ];
  write([
    GET,
    call('https/client.send', [request], { error: { 'too-large': 3 } }),
    call('dns/client.lookup', ['a', 'mx'], { ok: records }),
    call('dns/client.addresses', ['a'], { error: { 'not-found': null } }),
    call('random/random.bytes', [8], { ok: b('//////////8') }),
    call('random/random.shuffle', [2], { ok: [1, 0] }),
    call('std/state.get', ['b', 'k'], { ok: null }),
    call('std/state.set', ['b', 'k', b('AQ')], { ok: null }),
    call('std/state.list', ['b'], { ok: ['k'] }),
    call('crypto/digest.hash', ['sha3-256', b('YQ')], b('AA')),
    call('crypto/keys.key.generate', ['x25519'], { ok: 0 }),
    call('crypto/keys.key.public-key', [0], { ok: b('AQ') }),
    call('crypto/keys.key.agree', [0, b('Ag')], { ok: 1 }),
    call('crypto/keys.key.open-sealed', [1, b(''), b(''), b('YQ')], { error: { tampered: null } }),
  ]);
  recorded(file, (page) => {
    assert.deepEqual([page.func, page.args, page.result], ['f', [Uint8Array.of(0), { a: 1 }], Uint8Array.of(1, 2)]);
    const got = https.get('https://example.com/');
    assert.deepEqual([got.status, got.header('A'), got.text(), got.url], [200, 'b', 'abc', 'https://example.com/']);
    const put = { method: 'PUT', url: 'https://a/', headers: [['x', 'y']], body: 'c', maxBytes: 3 };
    assert.throws(() => https.send(put), new EffectError('too-large', 3, 'the body has more than 3 bytes'));
    const [mx, a, txt] = dns.lookup('a', 'mx').map(({ data }) => data);
    assert.deepEqual(mx, { tag: 'mx', val: { preference: 10, exchange: 'mail.a' } });
    assert.deepEqual(a, { tag: 'a', val: '192.0.2.1' });
    assert.deepEqual(txt, { tag: 'txt', val: [Uint8Array.of(97)] });
    assert.throws(() => dns.addresses('a'), { kind: 'not-found', message: 'there is no such name' });
    assert.equal(random.u64(), 2n ** 64n - 1n);
    assert.deepEqual(random.shuffle(2), [1, 0]);
    assert.equal(state.get('b', 'k'), undefined);
    state.set('b', 'k', Uint8Array.of(1));
    assert.deepEqual(state.keys('b'), ['k']);
    assert.deepEqual(digest.hash('sha3-256', 'a'), Uint8Array.of(0));
    const key = keys.generate('x25519');
    assert.deepEqual(key.publicKey(), Uint8Array.of(1));
    const none = new Uint8Array();
    const opened = () => key.agree(Uint8Array.of(2)).openSealed(none, none, Uint8Array.of(97));
    assert.throws(opened, { kind: 'tampered' });
  });
  assert.throws(() => https.get('https://example.com/'), /works in a component/);
});

const differs = (words, run) => assert.throws(run, { message: `${file}: ${words}` });

test('the first call that differs is named', async () => {
  const words =
    'call 1 is another than was recorded\n  now       homestar:https/client.get("https://example.org/")\n' +
    '  recorded  homestar:https/client.get("https://example.com/")';
  const other = () => https.get('https://example.org/');
  write([GET]);
  differs(words, () => recorded(file, other));
  const swallowed = () => {
    try {
      other();
    } catch {
      // The task goes on.
    }
  };
  differs(words, () => recorded(file, swallowed));
  const wrong = () => {
    swallowed();
    throw new Error('something else');
  };
  differs(words, () => recorded(file, wrong));
  await assert.rejects(recorded(file, async () => swallowed()), { message: `${file}: ${words}` });
});

test('calls that are left over or too many are named', async () => {
  const get = () => https.get('https://example.com/');
  const both = () => [get(), random.uuid()];
  write([GET]);
  differs('call 2 was not recorded:\n  homestar:random/random.uuid()', () => recorded(file, both));
  const made = 'homestar:https/client.get("https://example.com/")';
  write([GET, GET]);
  differs(`a recorded call was not made; call 2 is\n  ${made}`, () => recorded(file, get));
  differs(`2 recorded calls were not made; call 1 is\n  ${made}`, () => recorded(file, () => {}));
  const answer = await recorded(file, async () => [get(), await null, get()].length);
  assert.equal(answer, 3);
});

test('what failed otherwise is said as it is', async () => {
  write([GET]);
  const mine = () => {
    throw new RangeError('mine');
  };
  assert.throws(() => recorded(file, mine), { name: 'RangeError', message: 'mine' });
  await assert.rejects(recorded(file, async () => mine()), { message: 'mine' });
});

test('fetch is played as what it asks for', async () => {
  const options = { ...OPTIONS, 'max-bytes': null };
  const type = ['content-type', 'text/plain;charset=UTF-8'];
  const request = { body: b('YQ'), headers: [type, ['x-a', 'b']], method: 'POST', options, url: 'https://example.com/' };
  const page = { body: b('eyJhIjoxfQ'), headers: [['x', '1'], ['x', '2']], status: 404, url: 'https://example.com/' };
  const plain = { ...request, body: b(''), headers: [], method: 'GET' };
  write([
    call('https/client.send', [request], { ok: page }),
    call('https/client.send', [{ ...plain, options: { ...options, redirects: 0 } }], { ok: { ...page, status: 302 } }),
    call('https/client.send', [plain], { error: { timeout: null } }),
  ]);
  const theirs = globalThis.fetch;
  await recorded(file, async () => {
    const got = await fetch('https://example.com/', { method: 'post', headers: { 'X-A': 'b' }, body: 'a' });
    assert.deepEqual([got.status, got.ok, got.headers.get('X'), got.headers.has('y')], [404, false, '1, 2', false]);
    assert.deepEqual([await got.clone().text(), await got.json()], ['{"a":1}', { a: 1 }]);
    await assert.rejects(fetch('https://example.com/', { redirect: 'error' }), /redirects/);
    await assert.rejects(fetch('https://example.com/'), { kind: 'timeout' });
    await assert.rejects(fetch('https://example.com/', { signal: new AbortController().signal }), TypeError);
    await assert.rejects(fetch('https://example.com/', { body: {} }), TypeError);
  });
  assert.equal(globalThis.fetch, theirs);
});

test('a damaged file is named', () => {
  write([GET]);
  const whole = readFileSync(file, 'utf8');
  const half = whole.slice(0, whole.length / 2);
  for (const text of [half, '[]', '{}', whole.replace('"call"', '"cal"'), whole.replace('"out":{"ok"', '"out":{"k"')]) {
    writeFileSync(file, text);
    assert.throws(() => recorded(file, () => {}), /calls\.json is damaged, or nothing that `homestar replay --fixture` wrote: /);
  }
});

test('a task that failed has no result', () => {
  write([], { error: { kind: 'guest', message: 'too late', value: 'too late' } });
  recorded(file, (page) => {
    assert.equal(page.error.value, 'too late');
    assert.throws(() => page.result, /the task failed: too late/);
  });
  write([]);
  recorded(file, (page) => assert.throws(() => page.error, /the task did not fail/));
});
