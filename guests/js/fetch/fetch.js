// Asks the outside through effects: a page, an address, a number, a signature.

import * as https from 'homestar:https/client@0.1.0';
import * as dns from 'homestar:dns/client@0.1.0';
import * as random from 'homestar:random/random@0.1.0';
import * as digest from 'homestar:crypto/digest@0.1.0';
import * as keys from 'homestar:crypto/keys@0.1.0';

export function fetch(url) {
  const page = asked(() => https.get(url));
  const start = Array.from(page.body.slice(0, 64));
  const text = start.map((byte) => (byte < 128 ? String.fromCharCode(byte) : '?'));
  return `${page.status} ${text.join('')}`;
}

export function lookUp(name) {
  return asked(() => dns.addresses(name));
}

export function draw() {
  return asked(() => random.u64());
}

export function hashAndSign(text) {
  const hash = digest.hash('sha256', utf8(text));
  const key = asked(() => keys.Key.generate('ed25519'));
  return asked(() => key.sign(hash));
}

// Calls an effect. Its error becomes one of ours, as text.
function asked(call) {
  try {
    return call();
  } catch (error) {
    const { tag, val } = error.payload ?? error;
    throw val === undefined ? String(tag ?? error) : `${tag}: ${val}`;
  }
}

// QuickJS has no TextEncoder.
function utf8(text) {
  return Uint8Array.from(unescape(encodeURIComponent(text)), (char) => char.charCodeAt(0));
}
