// What effects answered when a task ran, for its tests. Node.js only.

import { readFileSync } from 'node:fs';
import { play } from './effects/effect.js';
import { crypto } from './web/crypto.js';
import { fetch } from './web/fetch.js';
import { camel, kebab } from './names.js';

/** The interface behind each module. */
const INTERFACES = {
  digest: 'homestar:crypto/digest',
  dns: 'homestar:dns/client',
  https: 'homestar:https/client',
  keys: 'homestar:crypto/keys',
  random: 'homestar:random/random',
  state: 'homestar:std/state',
};

/** Functions that answer with a key. */
const MAKES_KEY = new Set(['generate', 'import', 'open', 'derive', 'agree'].map((name) => `homestar:crypto/keys.key.${name}`));

let played;

export function recorded(file, test) {
  const recording = new Recording(file);
  if (played) throw new Error(`${played} is played already`);
  played = file;
  play((module) => recording.functions(INTERFACES[module]));
  // What these ask for is in a recording, too.
  const theirs = ['crypto', 'fetch'].map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]);
  for (const [name, value] of Object.entries({ crypto, fetch })) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const end = () => {
    play(undefined);
    for (const [name, property] of theirs) Object.defineProperty(globalThis, name, property);
    played = undefined;
  };
  const fails = (error) => {
    end();
    // A task that went on without the answer says less.
    throw recording.failed ?? error;
  };
  const passes = (value) => {
    end();
    recording.finish();
    return value;
  };
  let value;
  try {
    value = test(recording);
  } catch (error) {
    return fails(error);
  }
  return typeof value?.then === 'function' ? value.then(passes, fails) : passes(value);
}

class Recording {
  #file;
  #calls;
  #out;
  #next = 0;

  constructor(file) {
    const text = readFileSync(file, 'utf8');
    this.#file = file;
    try {
      const { func, args, calls, out } = JSON.parse(text);
      const isCall = (one) => typeof one.call === 'string' && Array.isArray(one.args) && one.answer !== undefined;
      if (typeof func !== 'string' || !Array.isArray(args) || !Array.isArray(calls) || !calls.every(isCall)) {
        throw new Error('func, args and calls are not what they are there');
      }
      if (!('ok' in out || 'error' in out)) throw new Error('there is no outcome');
      this.func = func;
      this.args = read(args);
      this.#calls = calls;
      this.#out = read(out);
    } catch (error) {
      throw new Error(`${file} is damaged, or nothing that \`homestar replay --fixture\` wrote: ${error.message}`);
    }
  }

  get result() {
    if (!('ok' in this.#out)) throw new Error(`${this.#file}: the task failed: ${this.#out.error.message}`);
    return this.#out.ok;
  }

  get error() {
    if (!('error' in this.#out)) throw new Error(`${this.#file}: the task did not fail`);
    return this.#out.error;
  }

  functions(name) {
    const get = (_, property) => {
      if (property === 'Key') return this.functions(`${name}.key`);
      return (...args) => this.#answer(`${name}.${kebab(property)}`, args);
    };
    return new Proxy({}, { get });
  }

  /** The recorded answer to what has to be the next call. */
  #answer(call, given) {
    if (this.failed) throw this.failed;
    const args = given.map(written);
    const number = this.#next + 1;
    const recorded = this.#calls[this.#next];
    if (!recorded) throw this.#differs(`call ${number} was not recorded:\n  ${shown(call, args)}`);
    if (call !== recorded.call || text(args) !== text(recorded.args)) {
      const then = shown(recorded.call, recorded.args);
      const words = `call ${number} is another than was recorded\n  now       ${shown(call, args)}\n  recorded  ${then}`;
      throw this.#differs(words);
    }
    this.#next += 1;
    return this.#given(call, recorded.answer);
  }

  /** An answer, as bindings have it. */
  #given(call, answer) {
    if (call === 'homestar:crypto/digest.hash') return read(answer);
    if ('error' in answer) {
      const [[tag, val]] = typeof answer.error === 'string' ? [[answer.error, null]] : Object.entries(answer.error);
      throw { tag, val: read(val) ?? undefined };
    }
    const value = read(answer.ok, camel);
    if (MAKES_KEY.has(call)) return new Handle(value, this.functions('homestar:crypto/keys.key'));
    if (call !== 'homestar:dns/client.lookup') return value;
    return value.map(({ data, ...one }) => {
      const [[tag, val]] = Object.entries(data);
      return { ...one, data: { tag, val } };
    });
  }

  #differs(words) {
    this.failed = new Error(`${this.#file}: ${words}`);
    return this.failed;
  }

  /** Says what the task should have asked for. */
  finish() {
    if (this.failed) throw this.failed;
    const left = this.#calls.length - this.#next;
    if (left === 0) return;
    const { call, args } = this.#calls[this.#next];
    const words = left > 1 ? `${left} recorded calls were` : 'a recorded call was';
    throw new Error(`${this.#file}: ${words} not made; call ${this.#next + 1} is\n  ${shown(call, args)}`);
  }
}

/** A key of the recording. */
class Handle {
  constructor(number, functions) {
    this.number = number;
    return new Proxy(this, {
      get: (_, name) => (name === 'number' ? number : (...args) => functions[name](this, ...args)),
    });
  }
}

/** A value as JSON has it, but for bytes. `named` turns the names of fields. */
function read(value, named = (name) => name) {
  if (Array.isArray(value)) return value.map((each) => read(each, named));
  if (typeof value !== 'object' || value === null) return value;
  const bytes = value['/']?.bytes;
  if (typeof bytes === 'string') return new Uint8Array(Buffer.from(bytes, 'base64'));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [named(name), read(each, named)]));
}

/** An argument as a recording has it. */
function written(value) {
  if (value instanceof Uint8Array) return { '/': { bytes: Buffer.from(value).toString('base64').replace(/=+$/, '') } };
  if (Array.isArray(value)) return value.map(written);
  if (value instanceof Handle) return value.number;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [kebab(name), written(each)]));
}

/** A value without fields that say nothing, since an option may be left out, and with its names in one order. */
function whole(value) {
  if (Array.isArray(value)) return value.map(whole);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, whole(each)]));
}

function text(value) {
  return JSON.stringify(whole(value));
}

/** A call as people read it. */
function shown(call, args) {
  const list = args.map(text).join(', ');
  return `${call}(${list.length <= 300 ? list : `${list.slice(0, 300)}…`})`;
}
