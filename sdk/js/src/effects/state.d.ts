/**
 * Small values that stay after the task, by `homestar:std`. They need `homestar run --allow state=BUCKET`. What fails throws
 * an `EffectError`, whose `kind` is `denied`, `budget`, `invalid`, `too-large` or `failed`.
 */
declare const state: {
  /** The value of a key, if it is there. */
  get(bucket: string, key: string): Uint8Array | undefined;
  /** Sets the value of a key: 256 KiB at most. */
  set(bucket: string, key: string, value: Uint8Array): void;
  /** Removes a key, if it is there. */
  delete(bucket: string, key: string): void;
  /** The keys, in the order of their bytes. */
  keys(bucket: string): string[];
};
export default state;
