// A test of the program with every other effect, by what they answered when it ran.

import assert from 'node:assert/strict';
import { recorded } from '@homestar/sdk/testing';
import * as app from './build/src/more.js';

for (const name of ['sent', 'looked_up', 'drawn', 'signed', 'counted']) {
  const task = app[name === 'looked_up' ? 'lookedUp' : name];
  recorded(`${name}.json`, (it) => assert.deepEqual(task(...it.args), it.result));
}
await recorded('fetched.json', async (it) => assert.equal(await app.fetched(...it.args), it.result));
recorded('wrongly.json', (it) => assert.throws(() => app.wrongly(), { message: it.error.value }));
