// Runs workflows, and looks at what comes of them. It is run where the components of the cases lie.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { HomestarError, Link, RunError, Secret, WorkflowError, file, forEach, workflow } from '@homestar/sdk/flow';
import * as image from './image.js';
import * as lines from './lines.js';
import * as mender from './mender.js';
import { flow as sums } from './sums.js';
import * as text from './text.js';
import { flow as values } from './values.js';
import * as zoo from './zoo.js';

/** What is said against a workflow where it is written. */
function says(call: () => unknown, message: string) {
  workflow('one', () => {
    assert.throws(call, { message });
    zoo.nothing();
  })();
}

test('calls that do not fit', () => {
  const untyped = zoo as any;
  says(() => untyped.echoU32(), 'echoU32() takes 1 argument, not 0');
  says(() => untyped.echoU33(7), 'untyped.echoU33 is not a function');
  says(() => zoo.echoU32(2 ** 32), 'echoU32(): the argument `value` takes u32, from 0 to 4294967295, not 4294967296');
  says(() => zoo.echoListU32([1, -1]), 'echoListU32(): the argument `value` takes u32, from 0 to 4294967295 at `[1]`, not -1');
  says(() => untyped.echoPoint({ x: 1 }), 'echoPoint(): the argument `value` takes f64 at `y`, not undefined');
  says(() => untyped.echoColor('pink'), 'echoColor(): the argument `value` takes Color (red, green, blue, dark-grey), not "pink"');
});

test('what is not known yet, and what belongs elsewhere', () => {
  const unknown = "what the task `echo-u32` gives isn't known before the workflow runs, so";
  says(() => [...(zoo.echoU32(1) as any)], `${unknown} there is nothing yet to go through; \`forEach(it, function)\` does it when it runs`);
  says(() => `${zoo.echoU32(1)}`, `${unknown} there is nothing to compute with yet; a task can do it`);
  says(() => zoo.echoU32(1).options({ label: 'a b' }), "the label 'a b' is no word: letters, digits, `-`, `_` and `.`, 100 bytes at the most");
  says(() => forEach([1], (one) => [zoo.echoU32(one), zoo.numbersTwice(one)][1]!), 'echo-u32() takes the element, but only the task that is returned is done for each');
  assert.throws(() => zoo.echoU32(1), { message: 'echoU32() makes a task of a workflow; call it in the function of `workflow(name, function)`' });
  let kept: any;
  workflow('first', () => {
    kept = zoo.echoU32(1);
  })();
  workflow('second', () => {
    assert.throws(() => zoo.echoU32(kept), /^Error: echoU32\(\): the task at run.js:\d+ is one of another workflow$/);
    zoo.nothing();
  })();
  assert.throws(() => workflow('third', async () => zoo.nothing())(), /is async, and it need not wait/);
});

test('problems have places', async () => {
  const bad = workflow('bad', () => {
    zoo.echoU32(zoo.echoString('a') as any);
    return image.grayscale(file('nowhere.png'));
  });
  for (const refused of [() => bad().check(), () => bad().cid(), () => bad().run()]) {
    await assert.rejects(refused, (error) => {
      assert(error instanceof WorkflowError);
      const [first, second] = error.problems;
      assert.match(first!, /^run.js:\d+: task `echo-u32`: parameter `value` of .* takes `u32`, but `await\/ok`/);
      assert.match(second!, /^run.js:\d+: task `grayscale`: can't read nowhere.png/);
      return true;
    });
  }
});

test('values, receipts and memory', async () => {
  const run = await sums().run();
  assert.equal(run.result, 8);
  assert.deepEqual([...run.receipts.keys()].sort(), ['add', 'add-2', 'total']);
  const receipt = run.receipts.get('total')!;
  const facts = await receipt.facts();
  assert.deepEqual([facts.out, facts.pure, facts.receipt['/']], [{ ok: 8 }, true, receipt.cid]);
  const again = await sums().run();
  assert.deepEqual([again.result, again.receipts.get('total')!.how], [8, 'memoised']);
  const fresh = await sums().run({ useReceipts: false });
  assert.equal(fresh.receipts.get('total')!.how, 'ran');
  assert.equal(run.workflow, await sums().cid());
});

test('native values', async () => {
  const { result: person } = await values().run();
  assert.deepEqual(person, {
    name: 'Ada',
    age: undefined,
    home: { x: 1, y: 2.5 },
    work: { x: 0.5, y: -0 },
    portrait: new Uint8Array([1, 2, 3]),
    nickNames: ['a', 'null "é"\n'],
    favourite: 'dark-grey',
  });
  const flow = workflow('shapes', () => ({
    shape: zoo.echoShape({ tag: 'rectangle', val: [1, 2] }),
    nothing: zoo.echoShape({ tag: 'nothing' }),
    flags: zoo.echoPermissions(['read']),
    some: zoo.echoOptionOption([undefined]),
    none: zoo.echoOptionOption(undefined),
    result: zoo.echoResultNested({ ok: { error: 'bad' } }),
    pairs: zoo.echoPairs([['b', 2n ** 64n - 1n]]),
    nan: zoo.echoF64(NaN),
    list: [zoo.echoU64(3)],
    plain: 3,
  }));
  const { result } = await flow().run();
  assert.deepEqual(result, {
    shape: { tag: 'rectangle', val: [1, 2] },
    nothing: { tag: 'nothing' },
    flags: ['read'],
    some: [undefined],
    none: undefined,
    result: { error: 'bad' },
    pairs: [['b', 2n ** 64n - 1n]],
    nan: NaN,
    list: [3n],
    plain: 3,
  });
});

test('for each gathers, and links can be read', async () => {
  const counted = workflow('counted', (needle: string) => {
    const found = forEach(file('pages'), (page) => lines.count(page, needle));
    return { found, sum: text.sum(found) };
  });
  assert.deepEqual((await counted('txt').run()).result, { found: [1n, 2n], sum: 3n });
  const whole = workflow('whole', () => forEach([1, 2], zoo.echoU32));
  assert.deepEqual((await whole().run()).result, [1, 2]);
  const again = workflow('again', () => lines.filter(file('pages/2.txt'), 'again'));
  const { result: link } = await again().run();
  assert(link instanceof Link);
  assert.equal(await link.text(), '2.txt again\n');
  await link.save('again.ts.txt');
  assert.equal(await readFile('again.ts.txt', 'utf8'), '2.txt again\n');
});

test('failures name task and kind', async () => {
  const fails = workflow('fails', () => zoo.echoU32(zoo.fail('no such thing').options({ label: 'bad' })));
  await assert.rejects(fails().run(), (error) => {
    assert(error instanceof RunError);
    assert.deepEqual([error.task, error.kind, error.value], ['bad', 'guest', 'no such thing']);
    assert.match(error.message, /^run.js:\d+: task `bad` failed \(guest\): .*no such thing/);
    assert.equal(error.run.receipts.get('bad')!.how, 'failed');
    return true;
  });
  const caught = workflow('caught', () => [mender.explain(mender.fail('so').error), mender.fail('x').options({ catch: { ok: 5 } })] as const);
  const [told, five] = (await caught().run()).result;
  assert.match(told, /so/);
  assert.equal(five, 5);
});

test('secrets stay, and a run can be stopped', async () => {
  const secret = workflow('secret', () => zoo.echoString('hush').options({ secret: true }));
  assert((await secret().run()).result as unknown instanceof Secret);
  const stop = new AbortController();
  const stopped = sums().run({ useReceipts: false, signal: stop.signal, onEvent: () => stop.abort() });
  // It may have ended by then.
  await stopped.catch((error) => assert.equal((error as HomestarError).kind, 'cancelled'));
});
