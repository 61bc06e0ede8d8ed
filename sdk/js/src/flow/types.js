// Types of WIT as those of JavaScript: how values are written for a workflow, and read from what came of it.

import { camel } from '../names.js';
import { File, Link } from './content.js';
import { Float } from './json.js';
import { Await, Each } from './task.js';

/** A value that doesn't fit: where in it, what is expected there, and what was found. */
export class Mismatch extends TypeError {
  constructor(expected, value, path = '') {
    const place = path ? ` at \`${path.replace(/^\./, '')}\`` : '';
    super(`takes ${expected}${place}, not ${shown(value)}`);
    Object.assign(this, { expected, value, path });
  }
}

function shown(value) {
  if (typeof value === 'string') return value.length > 40 ? `${JSON.stringify(value.slice(0, 40))}…` : JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? 'a list' : value.constructor === Object ? 'an object' : `a ${value.constructor?.name}`;
}

/** A type. What stands for values is written later, when tasks have labels. */
class Type {
  constructor(wit, write, read = (value) => value) {
    Object.assign(this, { wit, writes: write, read });
  }

  write(value) {
    if (value instanceof Each) value.type ??= this;
    return value instanceof Await ? value : this.writes(value);
  }

  /** Writes a part of another value, which is at `step` in it. */
  within(step, value) {
    try {
      return this.write(value);
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      throw new Mismatch(error.expected, error.value, step + error.path);
    }
  }
}

function fits(wit, isOne, written = (value) => value, read, expected = wit) {
  const write = (value) => {
    if (!isOne(value)) throw new Mismatch(expected, value);
    return written(value);
  };
  return new Type(wit, write, read);
}

// Plain values

export const nothing = new Type('nothing', (value) => {
  if (value !== undefined && value !== null) throw new Mismatch('nothing', value);
  return null;
}, () => undefined);
export const bool = fits('bool', (value) => typeof value === 'boolean');
export const string = fits('string', (value) => typeof value === 'string');
export const char = fits('one character', (value) => typeof value === 'string' && [...value].length === 1);

function integer(wit, least, most) {
  const isOne = (value) => Number.isInteger(value) && value >= least && value <= most;
  // There is one zero.
  return fits(wit, isOne, (value) => value + 0, undefined, `${wit}, from ${least} to ${most}`);
}

export const u8 = integer('u8', 0, 255);
export const u16 = integer('u16', 0, 65535);
export const u32 = integer('u32', 0, 4294967295);
export const s8 = integer('s8', -128, 127);
export const s16 = integer('s16', -32768, 32767);
export const s32 = integer('s32', -2147483648, 2147483647);

function large(wit, least, most) {
  const isOne = (value) => (typeof value === 'bigint' || Number.isSafeInteger(value)) && value >= least && value <= most;
  return fits(wit, isOne, BigInt, BigInt, `${wit}, a bigint from ${least} to ${most}`);
}

export const u64 = large('u64', 0n, 2n ** 64n - 1n);
export const s64 = large('s64', -(2n ** 63n), 2n ** 63n - 1n);

/** A number as JSON has it, or its name where JSON has none. */
function written(value) {
  if (Object.is(value, -0)) return '-0';
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return new Float(value);
}

const isNumber = (value) => typeof value === 'number';
const NAMES = new Map([['nan', NaN], ['inf', Infinity], ['-inf', -Infinity], ['-0', -0]]);
const number = (value) => NAMES.get(value) ?? Number(value);

export const f32 = fits('f32', isNumber, (value) => written(Math.fround(value)), number);
export const f64 = fits('f64', isNumber, written, number);

export const content = new Type('content', (value) => {
  if (value instanceof Uint8Array) return { '/': { bytes: Buffer.from(value).toString('base64').replace(/=+$/, '') } };
  if (value instanceof File) return { '@': value.name };
  if (value instanceof Link) return { '/': value.cid };
  throw new Mismatch('a Uint8Array, a File or a Link', value);
}, ({ '/': inner }) => (typeof inner === 'string' ? new Link(inner) : new Uint8Array(Buffer.from(inner.bytes, 'base64'))));

// Values made of others

export function list(item) {
  const wit = `list<${item.wit}>`;
  return fits(wit, Array.isArray, (value) => value.map((one, at) => item.within(`[${at}]`, one)), (value) => value.map((one) => item.read(one)));
}

export function tuple(...items) {
  const wit = `tuple<${items.map((item) => item.wit).join(', ')}>`;
  const isOne = (value) => Array.isArray(value) && value.length === items.length;
  const write = (value) => items.map((item, at) => item.within(`[${at}]`, value[at]));
  return fits(wit, isOne, write, (value) => items.map((item, at) => item.read(value[at])));
}

export function option(some) {
  const isNone = (value) => value === null || value === undefined;
  return new Type(`option<${some.wit}>`, (value) => (isNone(value) ? null : some.write(value)), (value) => (value === null ? undefined : some.read(value)));
}

export function result(ok, error) {
  const wit = `result<${ok.wit}, ${error.wit}>`;
  const isOne = (value) => isObject(value) && Object.keys(value).length === 1 && ('ok' in value || 'error' in value);
  const write = (value) => ('ok' in value ? { ok: ok.within('.ok', value.ok) } : { error: error.within('.error', value.error) });
  const read = (value) => ('ok' in value ? { ok: ok.read(value.ok) } : { error: error.read(value.error) });
  return fits(wit, isOne, write, read, `{ ok } or { error }, for ${wit}`);
}

export function enumeration(name, cases) {
  return fits(name, (value) => cases.includes(value), undefined, undefined, `${name} (${cases.join(', ')})`);
}

export function flags(name, cases) {
  const one = enumeration(name, cases);
  const write = (value) => {
    const set = new Set(value.map((flag, at) => one.within(`[${at}]`, flag)));
    return cases.filter((flag) => set.has(flag));
  };
  return fits(`a list of ${name}`, Array.isArray, write);
}

/** Fields are given by their names in WIT. */
export function record(name, fields) {
  const known = Object.entries(fields).map(([field, type]) => [field, camel(field), type]);
  const write = (value) => {
    const other = Object.keys(value).find((key) => !known.some(([, own]) => own === key));
    if (other !== undefined) throw new Mismatch(`${name}, which has no \`${other}\``, value);
    return Object.fromEntries(known.map(([field, own, type]) => [field, type.within(`.${own}`, value[own])]));
  };
  const read = (value) => Object.fromEntries(known.map(([field, own, type]) => [own, type.read(value[field] ?? null)]));
  return fits(name, isObject, write, read);
}

/** Cases are given by their names in WIT, with what they hold or null. */
export function variant(name, cases) {
  const isOne = (value) => isObject(value) && Object.hasOwn(cases, value.tag);
  const write = ({ tag, val }) => ({ [tag]: cases[tag] ? cases[tag].within(`.${tag}`, val) : null });
  const read = (value) => {
    const [[tag, val]] = Object.entries(value);
    return cases[tag] ? { tag, val: cases[tag].read(val) } : { tag };
  };
  return fits(name, isOne, write, read, `${name}, with a \`tag\` of ${Object.keys(cases).join(', ')}`);
}

function isObject(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

// Data of no type

export const any = new Type('data', writeAny, readAny);

function writeAny(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean' || typeof value === 'string' || typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : finite(value);
  if (value instanceof Uint8Array || value instanceof File || value instanceof Link) return content.write(value);
  if (Array.isArray(value)) return value.map((one, at) => any.within(`[${at}]`, one));
  if (typeof value !== 'object') throw new Mismatch('data', value);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const [only] = entries.length === 1 ? entries[0] : [''];
  if (['/', '@', '@each'].includes(only) || String(only).startsWith('await/')) {
    throw new Mismatch(`no map whose one key is \`${only}\`, which means something else in a workflow`, value);
  }
  return Object.fromEntries(entries.map(([key, one]) => [key, any.within(`.${key}`, one)]));
}

function finite(value) {
  if (!Number.isFinite(value) || Object.is(value, -0)) throw new Mismatch('a number that data can hold', value);
  return new Float(value);
}

function readAny(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(readAny);
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0][0] === '/') return content.read(value);
  return Object.fromEntries(entries.map(([key, one]) => [key, readAny(one)]));
}
