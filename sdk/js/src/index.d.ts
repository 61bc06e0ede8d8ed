/** Types of WIT that JavaScript has one word for. A plain `number` is an `f64`, a plain `bigint` an `s64`. */

/** A whole number from 0 to 255. */
export type u8 = number;
/** A whole number from 0 to 65,535. */
export type u16 = number;
/** A whole number from 0 to 4,294,967,295. */
export type u32 = number;
/** A whole number from 0 to 18,446,744,073,709,551,615. */
export type u64 = bigint;
/** A whole number from -128 to 127. */
export type s8 = number;
/** A whole number from -32,768 to 32,767. */
export type s16 = number;
/** A whole number from -2,147,483,648 to 2,147,483,647. */
export type s32 = number;
/** A whole number of 64 bits. */
export type s64 = bigint;
/** A number with a fraction, of 32 bits. */
export type f32 = number;
/** A number with a fraction, of 64 bits. */
export type f64 = number;
/** A text of one character. */
export type char = string;

/** Why an effect didn't do it. */
export class EffectError extends Error {
  /** Which error it is, as its WIT calls the case. */
  kind: string;
  /** What it says of that, if anything. */
  value?: unknown;
}
