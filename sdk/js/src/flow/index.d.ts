/** Workflows for Homestar: functions whose calls are tasks. */

export type { char, f32, f64, s16, s32, s64, s8, u16, u32, u64, u8 } from '../index.js';

declare const gives: unique symbol;

/** Stands for a value that isn't known before the workflow runs. It can be passed to tasks, also within lists and objects. */
export interface Await<out T> {
  readonly [gives]: T;
}

/** A file or folder, by a path, an `ipfs://` or an `https://` URL. */
export class File {
  // Nothing else is one that has a name too.
  private readonly isFile: true;
  constructor(name: string);
  readonly name: string;
}

/** A file or folder. A path is looked for where the program runs. */
export function file(name: string): File;

/** Content, by its CID. */
export class Link {
  private readonly isLink: true;
  constructor(cid: string);
  readonly cid: string;
  /** All its bytes. */
  read(): Promise<Uint8Array>;
  /** All of it, as text. */
  text(): Promise<string>;
  /** Writes it to a path where nothing is yet: a file, or a folder with all that is in it. */
  save(path: string): Promise<void>;
}

/** Stands for what a task gives that is secret: it doesn't leave the store. */
export class Secret {
  private readonly isSecret: true;
}

/** What a parameter takes that is content: the bytes, a file, or a link. */
export type Content = Uint8Array | File | Link;

/** The value itself, or what stands for it or for parts of it. */
export type Arg<T> = Await<[T] extends [Content] ? Content : T> | Written<T>;

type Written<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends Content
    ? Content
    : T extends bigint
      ? bigint | number
      : T extends readonly [unknown, ...unknown[]]
        ? { readonly [K in keyof T]: Arg<T[K]> }
        : T extends readonly (infer E)[]
          ? readonly Arg<E>[]
          : T extends object
            ? { readonly [K in keyof T]: Arg<T[K]> }
            : T;

/** A result: good, or an error. */
export type Result<T, E> = { ok: T } | { error: E };

/** How a task failed: by an error of its own (`guest`), a `trap`, a limit such as `fuel` or `time`, … */
export interface Failure {
  task: string;
  kind: string;
  message: string;
  /** The error that the task's function returned, if that is what it was. */
  value?: unknown;
  /** Where the task stands in the program. */
  place?: string;
}

export interface Limits {
  fuel?: number | string;
  memory?: number | string;
  time?: string;
  output?: number | string;
  storage?: number | string;
  log?: number | string;
  calls?: number | string;
  callBytes?: number | string;
}

export interface Retry {
  times?: number;
  backoff?: string;
  max?: string;
}

/** What becomes of a failure. */
export type Catch<T> =
  | { ok: T }
  | { rewire: Task<T> }
  | { msg: string }
  | { call: string; component?: string | Link; rewire?: Task<T>[] };

/** How tasks are run, as the file of a workflow says it. */
export interface Settings {
  limits?: Limits;
  grant?: string | string[];
  pin?: Record<string, string>;
  retry?: number | Retry;
  reuse?: string;
  secret?: boolean;
  place?: string;
}

export interface TaskOptions<T> extends Settings {
  label?: string;
  catch?: Catch<T>;
  nonce?: string | Uint8Array;
}

/** A task, and what it will give. */
export interface Task<out T> extends Await<T> {
  /** What it is called in the workflow: what `options` said, or the name of its function with a number. */
  readonly label: string;
  /** Its failure. A task that is passed this runs only if this one fails. */
  readonly error: Await<any>;
  /** Whichever comes of it: `ok` with the value, or `error` with the failure. */
  readonly outcome: Await<any>;
  /** Says how it is run, and returns it. */
  options(options: TaskOptions<any>): Task<T>;
}

/** The signed record of what came of a task. */
export interface Receipt {
  readonly task: string;
  readonly cid: string;
  /** Whether the task `ran`, was `memoised` or `failed`. */
  readonly how: string;
  readonly fuel: number;
  /** All that it says, once its signature was found good: what `homestar receipt show --json` prints. */
  facts(): Promise<any>;
}

/** One execution of a workflow. */
export interface Run<R> {
  /** What `homestar runs` calls it. */
  readonly id: string;
  /** The CID of the workflow. */
  readonly workflow: string;
  /** The receipts of the tasks that ended, by their labels. */
  readonly receipts: Map<string, Receipt>;
  /** How many tasks ran, were memoised, and so on. */
  readonly counts: Record<string, number>;
  /** What the workflow's function returned, with the values of the tasks. */
  readonly result: R;
}

export interface RunOptions {
  /** Where paths are looked for. */
  folder?: string;
  /** What tasks may reach, beside what the workflow grants. */
  allow?: string | string[];
  /** How many tasks run at a time. */
  jobs?: number;
  /** Whether nothing is started any more once a task failed. */
  failFast?: boolean;
  /** Whether a task that has a receipt is not run again: true unless this says otherwise. */
  useReceipts?: boolean;
  /** Is called with each line of `homestar run --json`. */
  onEvent?: (event: any) => void;
  /** When it is aborted, the tasks that run end and no other begins. */
  signal?: AbortSignal;
}

/** Tasks, and what they need of each other. */
export class Workflow<R> {
  private constructor();
  readonly name: string;
  /** The text of its file. */
  json(): string;
  /** Writes its file, for `homestar run` and for others. Its name ends in `.json`. */
  save(path: string): Promise<void>;
  /** Checks it and runs nothing. Throws a `WorkflowError` with all that is wrong; returns notes of what may go wrong. */
  check(options?: { folder?: string }): Promise<string[]>;
  /** Its name: the CID of its one encoded form. The components that it names have to be there. */
  cid(options?: { folder?: string }): Promise<string>;
  /** Runs it. Throws a `WorkflowError` if it is refused, a `RunError` if a task fails. */
  run(options?: RunOptions): Promise<Run<R>>;
}

/** What a workflow gives, with values in place of tasks. */
export type Given<R> = R extends Task<infer T> ? T : R extends object ? { [K in keyof R]: Given<R[K]> } : R;

/**
 * Makes a function one that returns a workflow: the tasks that it calls. What the function returns is what a run gives: a task,
 * or tasks in lists and objects.
 */
export function workflow<A extends unknown[], R>(
  named: string | ({ name: string } & Settings),
  write: (...values: A) => R,
): (...values: A) => Workflow<Given<R>>;

/**
 * Does what `call` calls for each element of a list, of an object, of a folder, or of what a task gives. It is called once, with
 * what stands for the element and for its index or name, and returns the task that it calls.
 */
export function forEach<T, R>(source: Await<readonly T[]> | readonly Arg<T>[], call: (element: Await<T>, key: Await<any>) => Task<R>): Task<R[]>;
export function forEach<R>(source: File | Link, call: (element: Await<Link>, key: Await<any>) => Task<R>): Task<R[]>;
export function forEach<T, R>(source: Record<string, Arg<T>> | Map<string, Arg<T>>, call: (element: Await<T>, key: Await<any>) => Task<R>): Task<R[]>;

/** `homestar` said no. `kind` is that of its exit codes, such as `input` or `host`. */
export class HomestarError extends Error {
  readonly kind: string;
}

/** The workflow was refused before anything ran. */
export class WorkflowError extends HomestarError {
  /** All that is wrong with it, each with its place. */
  readonly problems: string[];
}

/** Tasks failed, so there is no result. */
export class RunError extends HomestarError {
  /** How tasks failed, the first first. */
  readonly failures: Failure[];
  /** The label of the first that failed. */
  readonly task: string;
  /** The error that its function returned, if that is what it was. */
  readonly value?: unknown;
  /** What is known of the run. */
  readonly run: Omit<Run<unknown>, 'result'>;
}

// What `homestar bind` writes uses these.

declare const wit: unique symbol;

interface Type {
  readonly [wit]: string;
}

/** A component, by a path, a CID, an `ipfs://` or an `https://` URL, or a link. */
export class Component {
  constructor(name: string | Link);
  /** A function that makes a task. Of its parameters, the last `optional` may be left out. */
  function(name: string, call: string, params: [string, Type][], optional: number, gives: Type): (...values: any[]) => Task<any>;
}

/** Types of WIT. */
export const types: {
  readonly nothing: Type;
  readonly bool: Type;
  readonly string: Type;
  readonly char: Type;
  readonly u8: Type;
  readonly u16: Type;
  readonly u32: Type;
  readonly u64: Type;
  readonly s8: Type;
  readonly s16: Type;
  readonly s32: Type;
  readonly s64: Type;
  readonly f32: Type;
  readonly f64: Type;
  readonly content: Type;
  readonly any: Type;
  list(item: Type): Type;
  tuple(...items: Type[]): Type;
  option(some: Type): Type;
  result(ok: Type, error: Type): Type;
  enumeration(name: string, cases: string[]): Type;
  flags(name: string, cases: string[]): Type;
  record(name: string, fields: Record<string, Type>): Type;
  variant(name: string, cases: Record<string, Type | null>): Type;
};
