// Workflows, from functions whose calls are tasks.

import { writeFile } from 'node:fs/promises';
import { Secret } from './content.js';
import { HomestarError, Refused, RunError, WorkflowError } from './failures.js';
import { print } from './json.js';
import { Receipt, answer, events, interrupted } from './program.js';
import { Await, Each, Task, Tasks, current, isNamed, settings } from './task.js';
import { Mismatch, any, list } from './types.js';

/** Tasks, and what they need of each other. */
export class Workflow {
  #tasks;
  #labels;
  #result;
  #defaults;

  constructor(name, tasks, result, defaults) {
    this.name = name;
    this.#tasks = tasks;
    this.#labels = tasks.labels();
    this.#result = result;
    this.#defaults = defaults;
  }

  /** The text of its file. */
  json() {
    const tasks = Object.fromEntries(this.#tasks.all.map((task) => [this.#labels.get(task), task.fields]));
    const defaults = Object.keys(this.#defaults).length > 0 ? { defaults: this.#defaults } : {};
    return `${print({ name: this.name, ...defaults, tasks }, this.#labels)}\n`;
  }

  /** Writes its file, for `homestar run` and for others. Its name ends in `.json`. */
  async save(path) {
    await writeFile(path, this.json());
  }

  /** Checks it and runs nothing. Throws a `WorkflowError` with all that is wrong; returns notes of what may go wrong. */
  async check({ folder } = {}) {
    const { notes } = await this.#ask(folder);
    return notes.map((note) => this.#line(note));
  }

  /** Its name: the CID of its one encoded form. The components that it names have to be there. */
  async cid({ folder } = {}) {
    return (await this.#ask(folder)).workflow;
  }

  /** Runs it. Throws a `WorkflowError` if it is refused, a `RunError` if a task fails. */
  async run({ folder, allow = [], jobs, failFast = false, useReceipts = true, onEvent, signal } = {}) {
    const given = tasks_in(this.#result);
    const args = ['run', '-', '--json'];
    args.push(...[allow].flat().flatMap((grant) => ['--allow', grant]));
    if (jobs !== undefined) args.push('--jobs', String(jobs));
    if (failFast) args.push('--fail-fast');
    if (!useReceipts) args.push('--no-cache');
    args.push(...given.flatMap((task) => ['--result', this.#labels.get(task)]));
    const heard = { receipts: new Map(), errors: new Map() };
    try {
      for await (const event of events(args, this.json(), folder, signal)) {
        hear(heard, event);
        onEvent?.(event);
      }
    } catch (error) {
      throw error instanceof Refused ? this.#error(error) : error;
    }
    return this.#end(heard);
  }

  #end({ begun, finished, receipts, errors }) {
    if (!finished) throw new HomestarError('`homestar run` ended without a word');
    const run = { id: begun.run, workflow: begun.workflow['/'], receipts, counts: finished.counts };
    if (finished.how === 'cancelled') throw interrupted();
    if (finished.how === 'failed') {
      // What another task awaits ends no run.
      const failed = finished.failed.filter(({ handled }) => !handled);
      const failures = (failed.length > 0 ? failed : finished.failed).map(({ task, kind, message }) => {
        return { task, kind, message, value: errors.get(task)?.value, place: this.#place(task) };
      });
      throw new RunError(failures, run);
    }
    const value = (task) => {
      const outcome = finished.results[this.#labels.get(task)];
      return outcome ? task.gives.read(outcome.ok) : new Secret();
    };
    return { ...run, result: filled(this.#result, value) };
  }

  async #ask(folder) {
    try {
      return await answer(['check', '-', '--json'], this.json(), folder);
    } catch (error) {
      throw error instanceof Refused ? this.#error(error) : error;
    }
  }

  #error(refused) {
    if (refused.problems.length === 0) return new HomestarError(refused.message, refused.kind);
    return new WorkflowError(this.name, refused.problems.map((problem) => this.#line(problem)));
  }

  /** A problem, with its place in the program. */
  #line({ task, message }) {
    if (!task) return message;
    const place = this.#place(task);
    return `${place ? `${place}: ` : ''}task \`${task}\`: ${message}`;
  }

  /** Where the task of a label stands, or the one of which that is an element. */
  #place(label) {
    const whole = label.split('[')[0];
    return this.#tasks.all.find((task) => this.#labels.get(task) === whole)?.place;
  }
}

function hear(heard, event) {
  if (event.event === 'begun') heard.begun = event;
  if (event.event === 'finished') heard.finished = event;
  if (event.event !== 'ended') return;
  heard.receipts.set(event.task, new Receipt(event));
  if (event.out?.error) heard.errors.set(event.task, event.out.error);
}

/**
 * Makes a function one that returns a workflow: the tasks that it calls. What the function returns is what a run gives: a task,
 * or tasks in lists and objects.
 */
export function workflow(named, write) {
  const { name, ...defaults } = typeof named === 'string' ? { name: named } : named;
  const said = settings(defaults);
  return (...values) => {
    if (current.tasks) throw new Error(`${name} is a workflow, and one can't be called within another`);
    const tasks = new Tasks();
    current.tasks = tasks;
    let result;
    try {
      result = write(...values);
    } finally {
      current.tasks = undefined;
    }
    if (typeof result?.then === 'function') throw new TypeError(`the function of ${name} is async, and it need not wait: its calls return at once`);
    check_given(result, tasks, name);
    if (tasks.all.length === 0) throw new Error(`${name} calls no task`);
    return new Workflow(name, tasks, result, said);
  };
}

/** The tasks in what a workflow gives. */
function tasks_in(result) {
  if (result instanceof Task) return [result];
  return is_made_of_others(result) ? Object.values(result).flatMap(tasks_in) : [];
}

function is_made_of_others(result) {
  return result !== null && typeof result === 'object' && (Array.isArray(result) || Object.getPrototypeOf(result) === Object.prototype);
}

function check_given(result, tasks, name) {
  if (result instanceof Task) tasks.check(result, name);
  else if (result instanceof Await) throw new TypeError(`${name} returns ${result.said()}; what a workflow gives is what its tasks do`);
  else if (is_made_of_others(result)) Object.values(result).forEach((one) => check_given(one, tasks, name));
}

/** What a workflow gives, with what its tasks gave. */
function filled(result, value) {
  if (result instanceof Task) return value(result);
  if (!is_made_of_others(result)) return result;
  if (Array.isArray(result)) return result.map((one) => filled(one, value));
  return Object.fromEntries(Object.entries(result).map(([key, one]) => [key, filled(one, value)]));
}

/**
 * Does what `call` calls for each element of a list, of an object, of a folder, or of what a task gives. It is called once, with
 * what stands for the element and for its index or name, and returns the task that it calls.
 */
export function forEach(source, call) {
  const { tasks } = current;
  if (!tasks) throw new Error('forEach() makes a task of a workflow; call it in the function of `workflow(name, function)`');
  if (tasks.each) throw new Error("forEach() within another isn't possible; a task can gather what the inner one goes through");
  const [element, key] = [new Each('value'), new Each('key')];
  const before = tasks.all.length;
  tasks.each = [element, key];
  let task;
  try {
    // A function that takes one argument is one of a component perhaps, which minds another.
    task = call.length === 1 ? call(element) : call(element, key);
  } finally {
    tasks.each = undefined;
  }
  const made = tasks.all.slice(before);
  if (!made.includes(task)) throw new TypeError('the function of forEach() returns the task that it calls');
  const other = made.find((one) => one !== task && uses(one.fields.args, [element, key]));
  if (other) throw new Error(`${other.name}() takes the element, but only the task that is returned is done for each`);
  task.fields['for-each'] = elements(source, element.type ?? any);
  tasks.check(task.fields['for-each'], 'forEach');
  task.gives = list(task.one);
  return task;
}

/** What is gone through, as the file has it. */
function elements(source, type) {
  if (source instanceof Await || isNamed(source)) return any.write(source);
  try {
    if (Array.isArray(source)) return source.map((one) => type.write(one));
    if (source !== null && typeof source === 'object') {
      const entries = source instanceof Map ? [...source] : Object.entries(source);
      return Object.fromEntries(entries.map(([name, one]) => [name, type.write(one)]));
    }
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new TypeError(`forEach(): an element ${error.message}`);
  }
  throw new TypeError(`forEach() goes through a list, an object, a folder or what a task gives, not ${String(source)}`);
}

function uses(value, each) {
  if (each.includes(value)) return true;
  if (value === null || typeof value !== 'object' || value instanceof Await) return false;
  return Object.values(value).some((one) => uses(one, each));
}
