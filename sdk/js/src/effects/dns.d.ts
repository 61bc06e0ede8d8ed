/**
 * Name resolution, by `homestar:dns`. Which names may be looked up is said where the task is run:
 * `homestar run --allow dns=example.com`.
 */
export type RecordType = 'a' | 'aaaa' | 'caa' | 'cname' | 'mx' | 'ns' | 'ptr' | 'srv' | 'txt';

/** What a record says. */
export type Data =
  | { tag: 'a' | 'aaaa' | 'cname' | 'ns' | 'ptr'; val: string }
  | { tag: 'caa'; val: { critical: boolean; tag: string; value: Uint8Array } }
  | { tag: 'mx'; val: { preference: number; exchange: string } }
  | { tag: 'srv'; val: { priority: number; weight: number; port: number; target: string } }
  | { tag: 'txt'; val: Uint8Array[] };

/** A record. */
export interface Answer {
  name: string;
  /** Seconds for which it may be kept. */
  ttl: number;
  data: Data;
}

/** What fails throws an `EffectError`, whose `kind` is `denied`, `budget`, `invalid`, `not-found`, `timeout` or `failed`. */
declare const dns: {
  /** The records of one type that a name has. One that has none of it gives an empty list. */
  lookup(name: string, type: RecordType): Answer[];
  /** The addresses of a host, IPv6 first. */
  addresses(name: string): string[];
  /** The names of an address. */
  reverse(address: string): string[];
};
export default dns;
