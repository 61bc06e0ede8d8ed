// Which WIT follows from which types, and what is said where none does.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Interface } from '../src/derive.js';
import { kebab } from '../src/names.js';
import { Sources } from '../src/source.js';

const folder = mkdtempSync(join(tmpdir(), 'homestar-'));
process.chdir(folder);
after(() => rmSync(folder, { recursive: true }));

function derived(text, file = 'index.ts') {
  writeFileSync(join(folder, file), text);
  return new Interface('tries', new Sources().file(join(folder, file))).wit(['homestar:std/log@0.1.0']);
}

/** What stands in the interface, on one line. */
function items(text, file) {
  return derived(text, file).match(/interface tasks \{\n([^]*?)\n\}\n/)[1].replace(/\s+/g, ' ').trim();
}

function refused(text, words, file) {
  assert.throws(() => derived(text, file), { message: words });
}

test('names of both cases become that of WIT', () => {
  for (const [name, wit] of [['topWords', 'top-words'], ['HTTPError', 'http-error'], ['top_words', 'top-words'], ['$x', undefined]]) {
    assert.equal(kebab(name), wit);
  }
});

test('every type has one in WIT', () => {
  for (const [type, wit] of [
    ['string', 'string'],
    ['number', 'f64'],
    ['boolean', 'bool'],
    ['bigint', 's64'],
    ['u8', 'u8'],
    ['char', 'char'],
    ['Uint8Array', 'list<u8>'],
    ['readonly u8[]', 'list<u8>'],
    ['Array<string>', 'list<string>'],
    ['[string, u32]', 'tuple<string, u32>'],
    ['[name: string, ages: u8[]]', 'tuple<string, list<u8>>'],
    ['Record<string, boolean>', 'list<tuple<string, bool>>'],
    ['Map<string, [u8]>', 'list<tuple<string, tuple<u8>>>'],
    ['string | undefined', 'option<string>'],
    ['null | string[]', 'option<list<string>>'],
  ]) {
    assert.equal(items(`export function given(value: ${type}): void {}`), `given: func(value: ${wit});`, type);
  }
});

test('types with a name are defined, from other files too', () => {
  writeFileSync(join(folder, 'shapes.ts'), `
    /** What it looks like. */
    export type Color = 'red' | 'dark-blue';
    export interface Named { name: string }
  `);
  const text = `
    import type { Color as Hue, Named } from './shapes.js';
    /** Where it is. */
    interface Point extends Named { x: number; /** Downwards. */ theY?: number; hue: Hue | null }
    type Shape = { tag: 'at', val: Point } | { tag: 'nowhere' };
    /** Draws it. */
    export const draw = (shapes: Shape[]): Uint8Array => new Uint8Array();
  `;
  assert.equal(
    items(text),
    '/// What it looks like. enum hue { red, dark-blue, } ' +
      '/// Where it is. record point { name: string, x: f64, /// Downwards. the-y: option<f64>, hue: option<hue>, } ' +
      'variant shape { at(point), nowhere, } ' +
      '/// Draws it. draw: func(shapes: list<shape>) -> list<u8>;',
  );
});

test('in JavaScript types stand in comments', () => {
  const line = '/** Louder. @param {string} text what it is @returns {string} @throws {string} */\nexport const shout = (text) => text;';
  assert.equal(items(line, 'line.js'), '/// Louder. shout: func(text: string) -> result<string, string>;');
  const text = `
    /**
     * A word.
     *
     * @typedef {object} Word
     * @property {string} text - As it is written.
     * @property {u32} [times]
     */
    /** @typedef {{tag: 'empty'} | {tag: 'too-long', val: u32}} Failure */

    /**
     * Finds one.
     *
     * @param {Word[]} words
     * @param {string} [list] With words of WIT.
     * @returns {Word}
     * @throws {Failure} If not.
     */
    export function find(words, list) {}
  `;
  assert.equal(
    items(text, 'index.js'),
    '/// A word. record word { /// As it is written. text: string, times: option<u32>, } ' +
      'variant failure { empty, too-long(u32), } ' +
      '/// Finds one. find: func(words: list<word>, %list: option<string>) -> result<word, failure>;',
  );
});

test('what waits is async, and streams are of bytes', () => {
  assert.equal(items('export async function f(a: u8): Promise<u8> { return a }'), 'f: async func(a: u8) -> u8;');
  assert.equal(items('export function f(): Promise<void> { return g() }'), 'f: async func();');
  assert.equal(
    items('/** @throws {string} */ export async function f(a: ReadableStream<Uint8Array>): Promise<u8> { return 1 }'),
    'f: async func(a: stream<u8>) -> result<u8, string>;',
  );
  assert.equal(
    items('export async function* f(a: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> { yield* a }'),
    'f: async func(a: stream<u8>) -> stream<u8>;',
  );
  const text = '/** @param {u8} a\n * @returns {Promise<AsyncIterable<Uint8Array>>} */\nexport async function f(a) {}';
  assert.match(derived(text, 'index.js'), /f: async func\(a: u8\) -> stream<u8>;/);
});

test('what another file exports is a task too', () => {
  writeFileSync(join(folder, 'more.ts'), 'export function more(): string { return "" }');
  assert.equal(items(`export { more as evenMore } from './more.js';`), 'even-more: func() -> string;');
});

test('what says too little is named, with its line', () => {
  refused('\nexport function f(a) {}', 'index.js:2: the parameter `a` of `f` has no type, such as `@param {string} a`', 'index.js');
  refused('export function f(a): void {}', 'index.ts:1: the parameter `a` of `f` has no type, such as `a: string`');
  refused('export function f() {}', 'index.ts:1: `f` has no type for its result, such as `): string`');
  refused('export function f(a: any): void {}', 'index.ts:1: the parameter `a` of `f` may be anything, and a task has to say what it takes and gives');
  refused('export function f(a: { b: string }): void {}', 'index.ts:1: the parameter `a` of `f` is an object without a name; `interface` gives its type one');
  refused('export function f(a: "x" | "y"): void {}', 'index.ts:1: the parameter `a` of `f` is one of several; `type Name = …` gives that a name');
  refused('/** @throws */ export function f(): void {}', 'index.ts:1: what `f` throws has no type, such as `@throws {string}`');
});

test('what WIT has no type for is named', () => {
  refused('export function f(a: Date): void {}', "index.ts:1: the parameter `a` of `f` is `Date`, which WIT has no type for, or which isn't declared in a file of this program");
  refused('export function* f(): Iterable<u8> {}', 'index.ts:1: `f` is a generator; `async function*` makes a stream');
  refused('export function f(a: Promise<u8>): void {}', 'index.ts:1: the parameter `a` of `f` is a promise, and only the result of a task may be one');
  refused('export async function f(): Promise {}', "index.ts:1: the promise of `f` doesn't say of what type it is");
  refused('export function f(a: AsyncIterable<Uint8Array>): void {}', 'index.ts:1: the parameter `a` of `f` is a stream, for which a task has to be `async`');
  refused('export async function f(a: AsyncIterable<string>): Promise<void> {}', 'index.ts:1: the parameter `a` of `f` is a stream of something else than `Uint8Array`');
  refused('export async function f(a: ReadableStream<Uint8Array>[]): Promise<void> {}', 'index.ts:1: the parameter `a` of `f` is a stream, and only a parameter or the result of an async task may be one, of `Uint8Array`');
  refused('/** @throws {string} */\nexport async function* f(): AsyncGenerator<Uint8Array> {}', 'index.ts:2: `f` has returned its stream before it throws; a plain async function can return one or throw');
  refused('export function f<T>(a: T): void {}', 'index.ts:1: `f` has parameters of type, and nothing in WIT has');
  refused('export function f(a: Map<u8, u8>): void {}', 'index.ts:1: the parameter `a` of `f` has keys that are no `string`; an array of pairs may have any');
  refused('interface A { a: A[] }\nexport function f(a: A): void {}', 'index.ts:1: `A` leads to itself, and types of WIT can\'t');
  refused('interface A { b(): void }\nexport function f(a: A): void {}', "index.ts:1: `A` has more than fields, and a record of WIT hasn't");
  refused('interface A { a_b: u8 }\nexport function f(a: A): void {}', 'index.ts:1: `A.a_b` should be called `aB`, as bindings would');
  refused("type A = 'darkBlue' | 'red';\nexport function f(a: A): void {}", 'index.ts:1: `darkBlue` should be written `dark-blue`, as in WIT');
  refused('interface F { a: u8 }\nexport function f(a: F): void {}', 'index.ts:1: two things would be called `f` in WIT; call one of them something else');
  refused('/** @throws {u8} */\nexport function f(): void {}', 'index.ts:2: what `f` throws is a string, a record, or one of several by `tag`');
});

test('what is no program of tasks says so', () => {
  refused('export const a = 1;', 'index.ts:1: no function is exported; `export function` makes one a task');
  refused('export default function f() {}', 'index.ts:1: a default export has no name to be called by; export it by name');
  refused("export * from './more.js';", "index.ts:1: `export * from './more.js'` doesn't say what is exported; name it");
  refused('export function f( {}', /^index\.ts:1: Unexpected token/);
});
