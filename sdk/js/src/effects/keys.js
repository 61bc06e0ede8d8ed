import * as own from '#bindings/keys';
import { caller } from './effect.js';

const call = caller('keys', own, {
  'no-key': () => 'there is no such key',
  'wrong-algorithm': (algorithm) => `the key is for ${algorithm}`,
  'invalid-key': () => 'this is no public key',
  tampered: () => 'the text was tampered with, or is of another key',
  taken: () => "the name is another key's",
});

class Key {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  #ask(name, ...given) {
    return call(`Key.${name}`, () => this.#handle[name](...given));
  }

  keep(name) {
    this.#ask('keep', name);
  }

  algorithm() {
    return this.#ask('algorithm');
  }

  publicKey() {
    return this.#ask('publicKey');
  }

  sign(message) {
    return this.#ask('sign', message);
  }

  hmac(hash, message) {
    return this.#ask('hmac', hash, message);
  }

  derive(hash, salt, info, algorithm) {
    return new Key(this.#ask('derive', hash, salt, info, algorithm));
  }

  agree(publicKey) {
    return new Key(this.#ask('agree', publicKey));
  }

  encrypt(nonce, additional, plaintext) {
    return this.#ask('encrypt', nonce, additional, plaintext);
  }

  decrypt(nonce, additional, ciphertext) {
    return this.#ask('decrypt', nonce, additional, ciphertext);
  }

  openSealed(info, additional, sealed) {
    return this.#ask('openSealed', info, additional, sealed);
  }
}

export default {
  generate: (algorithm) => call('generate', (bindings) => new Key(bindings.Key.generate(algorithm))),
  take: (algorithm, secret) => call('take', (bindings) => new Key(bindings.Key.import(algorithm, secret))),
  open: (name) => call('open', (bindings) => new Key(bindings.Key.open(name))),
  verify: (algorithm, publicKey, message, signature) =>
    call('verify', (bindings) => bindings.verify(algorithm, publicKey, message, signature)),
  seal: (publicKey, info, additional, plaintext) =>
    call('seal', (bindings) => bindings.seal(publicKey, info, additional, plaintext)),
};
