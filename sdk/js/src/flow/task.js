// Tasks of a workflow, and what stands for what they give.

import { File, Link } from './content.js';
import { Mismatch, any, content } from './types.js';

/** What a label is made of. */
const LABEL = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u;

/** The workflow that is being written, if one is. */
export const current = { tasks: undefined };

/** Stands for a value that isn't known before the workflow runs. It can be passed to tasks, also within lists and objects. */
export class Await {
  [Symbol.toPrimitive]() {
    throw new TypeError(`${this.said()} isn't known before the workflow runs, so there is nothing to compute with yet; a task can do it`);
  }

  [Symbol.iterator]() {
    throw new TypeError(`${this.said()} isn't known before the workflow runs, so there is nothing yet to go through; \`forEach(it, function)\` does it when it runs`);
  }

  toJSON() {
    return this[Symbol.toPrimitive]();
  }
}

/** One branch of what comes of a task. */
class Branch extends Await {
  constructor(task, key) {
    super();
    this.task = task;
    this.key = key;
  }

  written(labels) {
    return { [this.key]: labels.get(this.task) };
  }

  said() {
    return `${this.key === 'await/error' ? 'the failure' : 'the outcome'} of the task \`${this.task.label}\``;
  }
}

/** What `forEach` is at: the element, or its index or name. */
export class Each extends Await {
  constructor(part) {
    super();
    this.part = part;
    /** How the parameter that it is passed to writes values. */
    this.type = undefined;
  }

  written() {
    return { '@each': this.part };
  }

  said() {
    return this.part === 'value' ? 'the element' : "the element's key";
  }
}

/** The label of a task, where the file has that alone. */
class Named {
  constructor(task) {
    this.task = task;
  }

  written(labels) {
    return labels.get(this.task);
  }
}

/** The tasks of a workflow that is being written. */
export class Tasks {
  constructor() {
    this.all = [];
    /** Those that were given a label. */
    this.named = new Map();
    /** The element that `forEach` is at, and its key. */
    this.each = undefined;
  }

  /** The label of each task: its own, or the name of its function with a number if others have that. */
  labels() {
    const labels = new Map([...this.named].map(([label, task]) => [task, label]));
    const taken = new Set(this.named.keys());
    const numbers = new Map();
    for (const task of this.all) {
      if (labels.has(task)) continue;
      let label = task.name;
      while (taken.has(label)) {
        numbers.set(task.name, (numbers.get(task.name) ?? 1) + 1);
        label = `${task.name}-${numbers.get(task.name)}`;
      }
      taken.add(label);
      labels.set(task, label);
    }
    return labels;
  }

  /** Refuses what stands for something of another workflow, or of a `forEach` that is over. */
  check(value, name) {
    if (value instanceof Each) {
      if (!this.each?.includes(value)) throw new Error(`${name}(): the element of a \`forEach\` means nothing outside of its function`);
    } else if (value instanceof Await) {
      const task = value.task ?? value;
      if (task.tasks !== this) throw new Error(`${name}(): the task at ${task.place} is one of another workflow`);
    } else if (value !== null && typeof value === 'object') {
      for (const one of Object.values(value)) this.check(one, name);
    }
  }
}

/** A task, and what it will give. */
export class Task extends Await {
  constructor(tasks, name, fields, gives, place) {
    super();
    this.tasks = tasks;
    /** What its function is called, without its interface. */
    this.name = name;
    this.fields = fields;
    this.gives = gives;
    /** What it gives for each element, if it is done for several. */
    this.one = gives;
    /** Where it stands in the program. */
    this.place = place;
    tasks.all.push(this);
  }

  /** What it is called in the workflow. */
  get label() {
    return this.tasks.labels().get(this);
  }

  /** Its failure. A task that is passed this runs only if this one fails. */
  get error() {
    return new Branch(this, 'await/error');
  }

  /** Whichever comes of it: `ok` with the value, or `error` with the failure. */
  get outcome() {
    return new Branch(this, 'await/*');
  }

  /** Says how it is run, as the file of a workflow does, and returns it. */
  options({ label, catch: caught, nonce, ...rest }) {
    if (label !== undefined) this.#call(label);
    Object.assign(this.fields, settings(rest));
    if (caught !== undefined) this.fields.catch = this.#caught(caught);
    if (nonce !== undefined) this.fields.nonce = typeof nonce === 'string' ? nonce : content.write(nonce);
    return this;
  }

  #call(label) {
    if (!LABEL.test(label) || new TextEncoder().encode(label).length > 100) {
      throw new TypeError(`the label '${label}' is no word: letters, digits, \`-\`, \`_\` and \`.\`, 100 bytes at the most`);
    }
    const other = this.tasks.named.get(label) ?? this;
    if (other !== this) throw new TypeError(`the task at ${other.place} is called '${label}' already`);
    for (const [name, task] of this.tasks.named) if (task === this) this.tasks.named.delete(name);
    this.tasks.named.set(label, this);
  }

  #caught(caught) {
    const { ok, rewire, component, ...rest } = caught;
    const written = { ...rest };
    if ('ok' in caught) {
      try {
        written.ok = this.one.write(ok);
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error;
        throw new TypeError(`\`catch\` puts in place of what the task gives, which ${error.message}`);
      }
    }
    if (rewire !== undefined) written.rewire = Array.isArray(rewire) ? rewire.map((task) => new Named(task)) : new Named(rewire);
    if (component !== undefined) written.component = component instanceof Link ? any.write(component) : component;
    return written;
  }

  written(labels) {
    return { 'await/ok': labels.get(this) };
  }

  said() {
    return `what the task \`${this.label}\` gives`;
  }
}

const SETTINGS = ['limits', 'grant', 'pin', 'retry', 'reuse', 'secret', 'place'];

/** What was said of how tasks are run, as the file has it. */
export function settings(options) {
  const said = {};
  for (const [name, value] of Object.entries(options)) {
    if (!SETTINGS.includes(name)) throw new TypeError(`there is no option \`${name}\`; there are ${SETTINGS.join(', ')}`);
    if (value === undefined) continue;
    said[name] = name === 'limits' ? limits(value) : name === 'grant' && typeof value === 'string' ? [value] : value;
  }
  return said;
}

function limits(amounts) {
  const entries = Object.entries(amounts).filter(([, amount]) => amount !== undefined);
  return Object.fromEntries(entries.map(([name, amount]) => [name === 'callBytes' ? 'call-bytes' : name, amount]));
}

/** Whether a value is content that goes by a name. */
export function isNamed(value) {
  return value instanceof File || value instanceof Link;
}
