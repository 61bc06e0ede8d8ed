/** What a task asked effects when it ran, with the answers. */
export interface Recording {
  /** The function that was called. */
  readonly func: string;
  /** Its arguments, as JSON has them, but for bytes. */
  readonly args: any[];
  /** What the task returned, as JSON has it, but for bytes; `null` for none. Throws if the task failed. */
  readonly result: any;
  /** How the task failed. Throws if it did not. */
  readonly error: { kind: string; message: string; value: any };
}

/**
 * Lets the recording in a file answer in place of effects while `test` runs, in its order. The file is written by
 * `homestar replay page.car --fixture page.json`, where `page.car` is of `homestar run … --receipt page.car`.
 *
 * Throws, with the call, if something else is asked for than was recorded, or less.
 */
export function recorded<T>(file: string, test: (recording: Recording) => T): T;
