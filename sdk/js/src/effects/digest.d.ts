export type Algorithm = 'sha256' | 'sha384' | 'sha512' | 'sha3-256' | 'sha3-384' | 'sha3-512' | 'blake3';

/** Digests, by `homestar:crypto`. They need no grant. */
declare const digest: {
  /** The digest of bytes, or of a text in UTF-8. */
  hash(algorithm: Algorithm, text: string | Uint8Array): Uint8Array;
};
export default digest;
