import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topWords } from '../src/index.js';

test('the most frequent comes first', () => {
  const words = topWords('To be, or not to be: to …', 2);
  assert.deepEqual(words, [{ text: 'to', times: 3 }, { text: 'be', times: 2 }]);
});

test('without words there is no answer', () => {
  assert.throws(() => topWords('?!', 1), /no words/);
});
