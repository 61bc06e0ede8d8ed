// What a test adds to a project: every other effect.

import { EffectError, type u32 } from '@homestar/sdk';
import digest from '@homestar/sdk/digest';
import dns from '@homestar/sdk/dns';
import https from '@homestar/sdk/https';
import keys from '@homestar/sdk/keys';
import random from '@homestar/sdk/random';
import state from '@homestar/sdk/state';

/** @throws {string} */
export function sent(url: string): string {
  console.log('sending');
  let tooLarge = '';
  try {
    https.send({ url, maxBytes: 3 });
  } catch (error) {
    if (error instanceof EffectError && error.kind === 'too-large') tooLarge = error.message;
  }
  const page = https.send({ method: 'POST', url, headers: [['x-a', 'b']], body: 'c', timeoutMs: 30000 });
  return `${page.status} ${page.header('Content-Length')} ${tooLarge}`;
}

/** @throws {string} */
export async function fetched(url: string): Promise<string> {
  const page = await fetch(url, { method: 'POST', body: 'c', headers: { 'x-a': 'b' } });
  return `${page.status} ${page.ok} ${(await page.text()).length} ${page.headers.get('Content-Length')}`;
}

/** @throws {string} */
export function lookedUp(name: string): string[] {
  if (dns.lookup(name, 'txt').length > 0) throw new Error('there is a text');
  return dns.addresses(name);
}

/** @throws {string} */
export function drawn(): u32[] {
  if (random.u64() >= 2n ** 64n || random.uuid().length !== 36) throw new Error('no number');
  return [random.bytes(4).length, random.range(3, 4), ...random.shuffle(3).sort()];
}

/** @throws {string} */
export function signed(text: string): boolean {
  const hash = digest.hash('sha256', text);
  const key = keys.generate('ed25519');
  if (key.algorithm() !== 'ed25519') throw new Error('another key');
  return keys.verify('ed25519', key.publicKey(), hash, key.sign(hash));
}

/** @throws {string} */
export function wrongly(): Uint8Array {
  return keys.generate('ed25519').encrypt(new Uint8Array(12), new Uint8Array(), new Uint8Array());
}

/** @throws {string} */
export function counted(): string[] {
  const before = state.get('counts', 'n') ?? new Uint8Array();
  state.set('counts', 'n', Uint8Array.of(...before, 49));
  return [...state.keys('counts'), String.fromCharCode(...state.get('counts', 'n')!)];
}

function divided(number: u32): u32 {
  if (number === 0) throw new Error('nothing to divide by');
  return 1 / number;
}

export function ending(number: u32): u32 {
  return divided(number);
}
