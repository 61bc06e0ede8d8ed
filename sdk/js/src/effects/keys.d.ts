/** What a key is for; `secret` is for HMAC and HKDF. */
export type Algorithm =
  | 'ed25519'
  | 'p256'
  | 'secp256k1'
  | 'x25519'
  | 'aes128-gcm'
  | 'aes256-gcm'
  | 'chacha20-poly1305'
  | 'secret';

/** Hash functions for HMAC and HKDF. */
export type Hash = 'sha256' | 'sha384' | 'sha512';

/** A key. The bytes of a private or secret one are the host's. */
export interface Key {
  /** Keeps it under a name, for later tasks. */
  keep(name: string): void;
  /** What it is for. */
  algorithm(): Algorithm;
  /** Its public key: 32 bytes of Ed25519 or X25519, 33 on P-256 or secp256k1. */
  publicKey(): Uint8Array;
  /** Signs a message. */
  sign(message: Uint8Array): Uint8Array;
  /** The HMAC of a message. */
  hmac(hash: Hash, message: Uint8Array): Uint8Array;
  /** Derives a key from it by HKDF. */
  derive(hash: Hash, salt: Uint8Array, info: Uint8Array, algorithm: Algorithm): Key;
  /** Agrees by X25519 with the owner of a public key on a secret, from which to `derive` keys. */
  agree(publicKey: Uint8Array): Key;
  /** Encrypts. A nonce has 12 bytes, and no two texts under one key may have the same. */
  encrypt(nonce: Uint8Array, additional: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** Decrypts what `encrypt` gave. */
  decrypt(nonce: Uint8Array, additional: Uint8Array, ciphertext: Uint8Array): Uint8Array;
  /** Opens what `seal` gave. */
  openSealed(info: Uint8Array, additional: Uint8Array, sealed: Uint8Array): Uint8Array;
}

/**
 * Keys and what is done with them, by `homestar:crypto`. They need `homestar run --allow crypto` for keys that live as long
 * as the task, and `--allow crypto=NAME` for a kept one. What fails throws an `EffectError`, whose `kind` is `denied`,
 * `budget`, `no-key`, `wrong-algorithm`, `size`, `invalid-key`, `tampered`, `taken` or `failed`.
 */
declare const keys: {
  /** Makes a key. */
  generate(algorithm: Algorithm): Key;
  /** Takes over a private or secret key. */
  take(algorithm: Algorithm, secret: Uint8Array): Key;
  /** Opens the key that was kept under a name. */
  open(name: string): Key;
  /** Whether a signature is that of a message under a public key. */
  verify(algorithm: Algorithm, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** Seals a text so that only the owner of an X25519 key opens it (HPKE). */
  seal(publicKey: Uint8Array, info: Uint8Array, additional: Uint8Array, plaintext: Uint8Array): Uint8Array;
};
export default keys;
