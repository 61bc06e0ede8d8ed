import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topWords } from '../src/flow.js';
import { top, words } from '../src/index.js';

test('words are counted', () => {
  assert.deepEqual(words('To be, be'), [{ text: 'to', times: 1 }, { text: 'be', times: 2 }]);
});

test('the most frequent comes first', () => {
  assert.deepEqual(top([words('a b'), words('b')], 1), [{ text: 'b', times: 2 }]);
  assert.throws(() => top([], 1), /no words/);
});

test('each text is a task', () => {
  const { tasks } = JSON.parse(topWords(['a', 'b']).json());
  assert.deepEqual(Object.keys(tasks), ['words', 'words-2', 'top']);
  assert.deepEqual(tasks.top.args, [[{ 'await/ok': 'words' }, { 'await/ok': 'words-2' }], 3]);
});

test('what does not fit is told', () => {
  // @ts-expect-error: a text is no number
  assert.throws(() => topWords([1]), /takes string, not 1/);
});
