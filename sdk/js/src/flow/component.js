// Components: whose functions are called.

import { basename } from 'node:path';
import { Link } from './content.js';
import { Task, current } from './task.js';
import { Mismatch } from './types.js';

/** A component, by a path, a CID, an `ipfs://` or an `https://` URL, or a link. */
export class Component {
  constructor(name) {
    this.name = name;
  }

  /**
   * A function that makes a task: the one that WIT calls `call`. `params` are names and types; the last `optional` may be left
   * out.
   */
  function(name, call, params, optional, gives) {
    const make = (...values) => {
      const { tasks } = current;
      if (!tasks) throw new Error(`${name}() makes a task of a workflow; call it in the function of \`workflow(name, function)\``);
      check_count(name, values.length, params.length, optional);
      const args = params.map(([param, type], at) => written(name, param, type, values[at]));
      const component = this.name instanceof Link ? { '/': this.name.cid } : this.name;
      tasks.check(args, name);
      const fields = args.length > 0 ? { component, call, args } : { component, call };
      return new Task(tasks, call.split('#').at(-1), fields, gives, caller(make));
    };
    Object.defineProperties(make, { name: { value: name }, length: { value: params.length } });
    return make;
  }
}

function check_count(name, found, most, optional) {
  if (found <= most && found >= most - optional) return;
  const count = optional > 0 ? `${most - optional} to ${most}` : `${most}`;
  throw new TypeError(`${name}() takes ${count} ${count === '1' ? 'argument' : 'arguments'}, not ${found}`);
}

function written(name, param, type, value) {
  try {
    return type.write(value);
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new TypeError(`${name}(): the argument \`${param}\` ${error.message}`);
  }
}

/** Where a function was called, as `flow.js:12`. */
function caller(callee) {
  const place = {};
  Error.captureStackTrace(place, callee);
  const [, path, line] = place.stack.match(/\(?((?:file:\/\/)?[^()\s]+):(\d+):\d+\)?$/m) ?? [];
  return path && `${basename(path)}:${line}`;
}
