import { workflow } from '@homestar/sdk/flow';
import type { Workflow } from '@homestar/sdk/flow';
import * as zoo from './zoo.js';

const values = workflow('values', () => {
  const seven = zoo.echoU32(7);
  const one = zoo.echoF64(1);
  const text = zoo.echoString('null "é"\n');
  const person = zoo.echoPerson({
    name: 'Ada',
    home: { x: one, y: 2.5 },
    work: { x: 0.5, y: -0 },
    portrait: new Uint8Array([1, 2, 3]),
    nickNames: ['a', text],
    favourite: 'dark-grey',
  });
  zoo.echoListPerson([person]);
  zoo.echoShape({ tag: 'rectangle', val: [1, one] });
  zoo.echoShape({ tag: 'nothing' });
  zoo.echoShape({ tag: 'maybe', val: seven });
  zoo.echoPermissions(['list-all', 'read']);
  zoo.echoOption();
  zoo.echoOptionOption([undefined]);
  zoo.echoListOption([1, undefined, seven]);
  zoo.echoListBytes([new Uint8Array(), new Uint8Array([255])]);
  zoo.echoPairs([['b', 1], ['a', 2n ** 64n - 1n]]);
  zoo.echoResultNested({ ok: { error: 'bad' } });
  zoo.echoResult({ error: undefined }).options({ catch: { ok: undefined } });
  zoo.echoTupleNested([[255, true], ['ö', -1.5]]);
  zoo.echoF64(1e300);
  zoo.echoF64(NaN);
  zoo.echoS64(-(2n ** 63n));
  zoo.numbersTwice(seven);
  zoo.wordsTwice(text);
  zoo.nothing();
  return person;
});

export function flow(): Workflow<zoo.Person> {
  return values();
}
