import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, filter } from '../src/index.js';

const TEXT = new TextEncoder().encode('an error\nfine\nerrors: äöü');

/** The text in pieces of a size. */
async function* pieces(size) {
  for (let at = 0; at < TEXT.length; at += size) yield TEXT.subarray(at, at + size);
}

test('lines are found wherever pieces end', async () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    assert.equal(await count(pieces(size), 'error'), 2);
    const found = [];
    for await (const piece of filter(pieces(size), 'error')) found.push(piece);
    assert.equal(Buffer.concat(found).toString(), 'an error\nerrors: äöü');
  }
});
