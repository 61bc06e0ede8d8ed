import { File, file, forEach, workflow } from '@homestar/sdk/flow';
import type { Workflow } from '@homestar/sdk/flow';
import * as lines from './lines.js';
import * as mender from './mender.js';
import * as shapes from './shapes.js';
import * as text from './text.js';
import * as zoo from './zoo.js';

const each = workflow('each', (pages: File) => {
  const counts = forEach(['a b', 'c'], (words) => text.wordCount(words));
  const total = text.sum(counts);
  const found = forEach(pages, (page, name) => lines.count(page, name)).options({ catch: { ok: 0n } });
  text.sum(found);
  forEach([1, 2.5], (number) => zoo.echoF64(number));
  const failed = mender.fail('no');
  shapes.twice(failed.error);
  shapes.twice(failed.outcome);
  shapes.twice({ a: [1, 2.5, null, new TextEncoder().encode('f')], b: total });
  const caught = mender.fail('yes');
  const spare = zoo.echoU32(1).options({ label: 'spare' });
  caught.options({ catch: { call: 'on-error', component: 'mender.wasm', rewire: [spare] } });
  return { total };
});

export function flow(): Workflow<{ total: bigint }> {
  return each(file('pages'));
}
