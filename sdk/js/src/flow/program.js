// The program `homestar`, which checks and runs workflows.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { HomestarError, Refused } from './failures.js';
import { parse } from './json.js';

/** Starts the program: HOMESTAR says where it is, or it is in PATH. */
export function start(args, { folder, stdio = ['pipe', 'pipe', 'inherit'] } = {}) {
  const child = spawn(process.env.HOMESTAR || 'homestar', args, { cwd: folder, stdio });
  const ended = new Promise((resolve, reject) => {
    child.on('error', (error) => {
      const words = 'there is no `homestar` in PATH; HOMESTAR may say where it is';
      reject(error.code === 'ENOENT' ? new HomestarError(words) : error);
    });
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
  // Whoever waits for it is told.
  ended.catch(() => {});
  // It may end without reading all.
  child.stdin?.on('error', () => {});
  return { child, ended };
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What the program writes. */
export async function output(args) {
  const { child, ended } = start(args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [written, said, code] = await Promise.all([all(child.stdout), all(child.stderr), ended]);
  if (code !== 0) throw new HomestarError(said.toString().trim().replace(/^error: /, '') || `\`homestar ${args[0]}\` failed`);
  return written;
}

/** The answer of a command that prints one JSON object, for a text on its standard input. */
export async function answer(args, text, folder) {
  const { child, ended } = start(args, { folder });
  child.stdin.end(text);
  const [written] = await Promise.all([all(child.stdout), ended]);
  const facts = parse(written.toString());
  if (facts.error) throw new Refused(facts.error);
  return facts.ok ?? facts;
}

/** The events of a command that prints one JSON object a line. When `signal` is aborted, the tasks that run end and no other begins. */
export async function* events(args, text, folder, signal) {
  const { child, ended } = start(args, { folder });
  const stop = () => child.kill('SIGINT');
  signal?.addEventListener('abort', stop);
  try {
    if (signal?.aborted) stop();
    child.stdin.end(text);
    for await (const line of createInterface({ input: child.stdout })) {
      const event = parse(line);
      if (event.error && !event.event) throw new Refused(event.error);
      yield event;
    }
    if ((await ended) === 'SIGINT') throw interrupted();
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Why there is no result, though nothing failed. */
export function interrupted() {
  return new HomestarError('the run was interrupted; the same call goes on with it', 'cancelled');
}

/** The signed record of what came of a task. */
export class Receipt {
  #facts;

  constructor({ task, receipt, how, fuel }) {
    this.task = task;
    this.cid = receipt['/'];
    /** Whether the task `ran`, was `memoised` or `failed`. */
    this.how = how;
    this.fuel = fuel;
  }

  /** All that it says, once its signature was found good. */
  facts() {
    this.#facts ??= output(['receipt', 'show', this.cid, '--json']).then((text) => parse(text.toString()));
    return this.#facts;
  }
}
