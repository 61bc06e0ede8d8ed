// What stands between a program and the component: checks of what it returns, its errors, and `console`.

import log from 'homestar:std/log@0.1.0';
import { now } from './now.js';
import { TextDecoder, TextEncoder } from './text.js';

/** A value that isn't of the type that was declared, and where in the result it is. */
class Mismatch extends TypeError {
  constructor(expected, value) {
    super();
    this.expected = expected;
    this.found = shown(value);
    this.path = '';
  }

  get message() {
    return `${this.found} where ${this.expected} was declared${this.path && `, at ${this.path.replace(/^\./, '')}`}`;
  }
}

function shown(value) {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return `an object of ${value.constructor?.name ?? 'no class'}`;
  return typeof value === 'function' ? 'a function' : String(value);
}

/** Does `turn`. If that fails, the error says that it was at `place`. */
export function at(place, turn) {
  try {
    return turn();
  } catch (error) {
    if (error instanceof Mismatch) error.path = place + error.path;
    throw error;
  }
}

const whole = (name, min, max) => (value) => {
  if (!Number.isInteger(value) || value < min || value > max) throw new Mismatch(name, value);
  return value;
};

const kind = (type, words) => (value) => {
  if (typeof value !== type) throw new Mismatch(words, value);
  return value;
};

// QuickJS passes 64 bits as a number, which is exact this far.
const large = (name, min) => (value) => {
  if (typeof value !== 'bigint' || value < min) throw new Mismatch(name, value);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw new RangeError(`${value} is beyond 2^53, where QuickJS can't pass whole numbers on`);
  }
  return Number(value);
};

/** Checks values on their way out, and gives them the form of the other side. */
export const out = {
  string: kind('string', 'a string'),
  bool: kind('boolean', 'a boolean'),
  f64: kind('number', 'a number'),
  f32: kind('number', 'a number'),
  u8: whole('an u8', 0, 255),
  u16: whole('an u16', 0, 65535),
  u32: whole('an u32', 0, 4294967295),
  s8: whole('an s8', -128, 127),
  s16: whole('an s16', -32768, 32767),
  s32: whole('an s32', -2147483648, 2147483647),
  u64: large('an u64', 0n),
  s64: large('an s64', -9223372036854775808n),

  char(value) {
    if (typeof value !== 'string' || [...value].length !== 1) throw new Mismatch('one character', value);
    return value;
  },

  bytes(value) {
    if (!(value instanceof Uint8Array)) throw new Mismatch('an Uint8Array', value);
    return value;
  },

  object(value) {
    if (typeof value !== 'object' || value === null) throw new Mismatch('an object', value);
  },

  one(value, texts) {
    if (!texts.includes(value)) throw new Mismatch(`one of ${texts.join(', ')}`, value);
    return value;
  },

  list(value, each) {
    if (!Array.isArray(value)) throw new Mismatch('an array', value);
    let place = 0;
    try {
      const items = new Array(value.length);
      for (; place < value.length; place += 1) items[place] = each(value[place]);
      return items;
    } catch (error) {
      if (error instanceof Mismatch) error.path = `[${place}]${error.path}`;
      throw error;
    }
  },

  tuple(value, length) {
    if (!Array.isArray(value) || value.length !== length) throw new Mismatch(`an array of ${length}`, value);
    return value;
  },

  entries(value, each) {
    out.object(value);
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    return entries.map(([key, item]) => at(`.${key}`, () => [out.string(key), each(item)]));
  },
};

export function big(value) {
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`a whole number beyond 2^53 was given, where QuickJS can't take them exactly`);
  }
  return BigInt(value);
}

export function bytes(value) {
  return value instanceof Uint8Array ? value : Uint8Array.from(value);
}

/** Errors of the engine's own, which are mistakes of the program's and no answer. */
const MISTAKES = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, globalThis.InternalError];

function isMistake(error) {
  return MISTAKES.some((one) => one && error instanceof one);
}

/** Which value isn't of its type, if the test of one threw. */
function misfit(value, check) {
  try {
    check(value);
  } catch (error) {
    return error instanceof Mismatch || error instanceof RangeError ? error : undefined;
  }
  return undefined;
}

/**
 * Returns what is thrown to the other side: the task's own error, if it has the type of one, or what ends the task. If it had
 * returned a `value`, that was of another type, which `check` tells. An error of no place in the program is of such a test.
 */
export function failed(error, place, type, turn, value, check) {
  const isOfTest = value !== undefined || (error instanceof TypeError && stack(error).length === 0);
  if (check && isOfTest) {
    say('error', [told(misfit(value, check) ?? error, place).join('\n')]);
    return Symbol('the task failed');
  }
  if (type && !isMistake(error)) {
    try {
      if (type !== 'string') return turn(error);
      if (error instanceof Error) return error.message;
      if (typeof error === 'string') return error;
    } catch {
      // What was thrown is no error that was declared.
    }
  }
  say('error', [told(error, place).join('\n')]);
  // No type has it, so it ends the task.
  return Symbol('the task failed');
}

/** Most errors that are told, each the cause of the one before. */
const CAUSES_MAX = 10;

/** An error in words, with what caused it. `place` is where the task is. */
function told(error, place, depth = 0) {
  if (error instanceof Mismatch) {
    return [`${error.name}: ${place.split(' ')[0]} returned ${error.message}`, `  at ${place}`];
  }
  if (!(error instanceof Error)) {
    const words = typeof error === 'object' && error !== null ? text(error) : shown(error);
    return [`${words.length > 200 ? `${words.slice(0, 200)}…` : words} was thrown`, `  at ${place}`];
  }
  const lines = [`${error.name}: ${error.message}`, ...stack(error)];
  if (error.cause === undefined || depth === CAUSES_MAX) return lines;
  const [first, ...rest] = told(error.cause, place, depth + 1);
  return [...lines, `caused by ${first}`, ...rest];
}

/** The pieces of a stream on their way out. A task whose stream fails has failed. */
export async function* streamed(pieces, place) {
  try {
    if (typeof pieces?.[Symbol.asyncIterator] !== 'function') throw new Mismatch('a stream', pieces);
    for await (const piece of pieces) yield out.bytes(piece);
  } catch (error) {
    // What a stream throws ends the stream and not the task; a level of the log that there isn't does.
    log.log(failed(error, place), '');
  }
}

/** Where an error was thrown, by the files and lines that a person wrote. */
function stack(error) {
  const { files, lines } = globalThis.homestarOrigins;
  return (error.stack ?? '').split('\n').flatMap((frame) => {
    const [, name, line] = frame.match(/^ *at (.+?) \(.*:(\d+):\d+\)$/) ?? [];
    const [file, from] = lines[line - 1] || [];
    return files[file] ? [`  at ${name} (${files[file]}:${from})`] : [];
  });
}

// Messages. While the component is built nobody listens, so they are kept for whoever runs it.

let early;

/** All of the program has been done that is done while it is built. What it said is told by the first call. */
export function begun(tasks) {
  now.runs = true;
  if (!early) return tasks;
  const tell = () => {
    for (const [level, message] of early) log.log(level, message);
    early = [];
  };
  const telling = ([name, task]) => [
    name,
    (...given) => {
      tell();
      return task(...given);
    },
  ];
  return Object.fromEntries(Object.entries(tasks).map(telling));
}

function say(level, values) {
  const message = values.map((value) => (typeof value === 'string' ? value : text(value))).join(' ');
  if (now.runs) log.log(level, message);
  else (early ??= []).push([level, message]);
}

function text(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? String(value);
  } catch {
    return String(value);
  }
}

globalThis.console ??= {
  debug: (...values) => say('debug', values),
  error: (...values) => say('error', values),
  info: (...values) => say('info', values),
  log: (...values) => say('info', values),
  trace: (...values) => say('trace', values),
  warn: (...values) => say('warn', values),
};
globalThis.TextDecoder ??= TextDecoder;
globalThis.TextEncoder ??= TextEncoder;
