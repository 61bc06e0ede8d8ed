/**
 * Random values from the operating system, by `homestar:random`. They need `homestar run --allow random`; `Math.random` is
 * deterministic in a component. What fails throws an `EffectError`, whose `kind` is `denied`, `budget` or `too-many`.
 */
declare const random: {
  /** Random bytes, 16 MiB at most. */
  bytes(length: number): Uint8Array;
  /** A random number of 64 bits. */
  u64(): bigint;
  /** A random whole number with `start <= number < end`. An empty range gives `start`. */
  range(start: number, end: number): number;
  /** The numbers from 0 to `length - 1` in random order. A million at most. */
  shuffle(length: number): number[];
  /** A random UUID of version 4. */
  uuid(): string;
};
export default random;
