import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EffectError } from '@homestar/sdk';
import https from '@homestar/sdk/https';
import { recorded } from '@homestar/sdk/testing';
import { title } from '../src/index.js';

test('it stands in the page', (t) => {
  t.mock.method(https, 'get', () => https.response({ body: '<html><TITLE>Fish\n chips</TITLE>' }));
  assert.equal(title('https://example.com/'), 'Fish chips');
});

test('a page may have none', (t) => {
  t.mock.method(https, 'get', () => https.response({ status: 404 }));
  assert.equal(title('https://example.com/'), undefined);
});

test('what https says is said', (t) => {
  t.mock.method(https, 'get', () => {
    throw new EffectError('timeout');
  });
  assert.throws(() => title('https://example.com/'), { kind: 'timeout' });
});

test('it is the one that was recorded', () => {
  recorded('page.json', (page) => assert.equal(title(page.args[0]), page.result ?? undefined));
});
