// Text as bytes and back, compared with what Node.js has.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TextDecoder as OurDecoder, TextEncoder as OurEncoder } from '../src/text.js';

const TEXT = 'a\u0000é€😀\ufffd'.repeat(3) + 'x'.repeat(9000) + '😀';

test('texts have the bytes that they have elsewhere', () => {
  for (const text of ['', 'a', TEXT, '\ud800', 'a\udc00b', '\ud83d\ude00']) {
    assert.deepEqual(new OurEncoder().encode(text), new TextEncoder().encode(text));
  }
});

test('bytes are the text that they are elsewhere, right or wrong', () => {
  const wrong = [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80, 0x61], [0xef, 0xbb, 0xbf, 0x61]];
  for (const bytes of [new TextEncoder().encode(TEXT), ...wrong.map((bytes) => Uint8Array.from(bytes))]) {
    const lenient = (text) => text.replace(/\ufffd+/g, '\ufffd');
    assert.equal(lenient(new OurDecoder().decode(bytes)), lenient(new TextDecoder().decode(bytes)));
    assert.equal(new OurDecoder().decode(bytes.buffer).length > 0, true);
  }
  assert.throws(() => new OurDecoder('latin1'), RangeError);
});

test('a text is the same in pieces', () => {
  const bytes = new TextEncoder().encode(TEXT.slice(0, 40));
  for (let size = 1; size < 9; size += 1) {
    const decoder = new OurDecoder();
    let text = '';
    for (let at = 0; at < bytes.length; at += size) text += decoder.decode(bytes.subarray(at, at + size), { stream: true });
    assert.equal(text + decoder.decode(), TEXT.slice(0, 40));
  }
  const decoder = new OurDecoder();
  assert.equal(decoder.decode(Uint8Array.of(0xe2, 0x82), { stream: true }) + decoder.decode(), '\ufffd\ufffd');
});
