import { workflow } from '@homestar/sdk/flow';
import type { Workflow } from '@homestar/sdk/flow';
import { add } from './add.js';

const sums = workflow('sums', (first: number) => {
  const three = add(first, 2);
  const five = add(three, 2);
  return add(five, three).options({
    label: 'total',
    limits: { fuel: '10M', time: '2s', callBytes: '1MiB' },
    retry: { times: 2, backoff: '200ms', max: '1s' },
    reuse: '1h',
    secret: false,
    nonce: 'again',
  });
});

export function flow(): Workflow<number> {
  return sums(1);
}
