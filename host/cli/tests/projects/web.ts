// What a test adds to a project: streams and `crypto`, as the web has them. It says the same in a component and in Node.js.

import type { u32 } from '@homestar/sdk';

/** The text in capitals, by pieces of a stream. */
export async function shouted(text: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  const capitals = new TransformStream<string, string>({
    transform: (piece, controller) => controller.enqueue(piece.toUpperCase()),
  });
  return text.pipeThrough(new TextDecoderStream()).pipeThrough(capitals).pipeThrough(new TextEncoderStream());
}

/** The first bytes of a stream that goes on. */
export async function begin(text: ReadableStream<Uint8Array>, count: u32): Promise<string> {
  const reader = text.getReader();
  let found = '';
  while (found.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    found += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return found.slice(0, count);
}

/** How many bytes each of two readers has seen. */
export async function twice(text: ReadableStream<Uint8Array>): Promise<u32[]> {
  const lengths = text.tee().map(async (stream) => {
    let length = 0;
    for await (const piece of stream) length += piece.length;
    return length;
  });
  return Promise.all(lengths);
}

/** Streams that a program makes itself. */
export async function made(): Promise<string[]> {
  const counted = new ReadableStream<number>({
    start(controller) {
      for (const number of [1, 2, 3]) controller.enqueue(number);
      controller.close();
    },
  });
  const sum: number[] = [];
  await counted.pipeTo(new WritableStream({ write: (number) => void sum.push(number * 2) }));
  const from: string[] = [];
  for await (const word of ReadableStream.from(['a', 'b'])) from.push(word);
  const body = await new Response(ReadableStream.from([Uint8Array.of(104), Uint8Array.of(105)])).text();
  const copied = new Response('{"a": [1]}', { status: 201, headers: { 'X-A': 'b' } });
  const clone = copied.clone();
  const again = await copied.text().then(() => copied.text(), String).catch((error: Error) => error.name);
  const parts = [copied.status, copied.ok, copied.headers.get('x-a'), JSON.stringify(await clone.json())];
  return [sum.join(), from.join(), body, parts.join(), again];
}

const hex = (bytes: ArrayBuffer) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** What `crypto.subtle` makes of a text. */
export async function digests(text: string): Promise<string[]> {
  const bytes = new TextEncoder().encode(text);
  const hashes = ['SHA-256', 'sha-384', 'SHA-512'].map((name) => crypto.subtle.digest(name, bytes));
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode('key'), algorithm, true, ['sign', 'verify']);
  const signature = await crypto.subtle.sign('HMAC', key, bytes);
  const right = await crypto.subtle.verify('HMAC', key, signature, bytes);
  const wrong = await crypto.subtle.verify('HMAC', key, signature, bytes.slice(1));
  const { k, alg, kty } = await crypto.subtle.exportKey('jwk', key);
  const secret = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, ['deriveBits']);
  const hkdf = { name: 'HKDF', hash: 'SHA-512', salt: new Uint8Array(), info: Uint8Array.of(1) };
  const derived = await crypto.subtle.deriveBits(hkdf, secret, 800);
  const refused = await crypto.subtle
    .importKey('raw', bytes, algorithm, true, ['encrypt' as 'sign'])
    .catch((error: DOMException) => error.name);
  return [...(await Promise.all(hashes)).map(hex), hex(signature), `${right} ${wrong}`, `${k} ${alg} ${kty}`, hex(derived), String(refused)];
}

/** Random values: those of one task are always the same. */
export function chances(): string[] {
  const values = crypto.getRandomValues(new Uint32Array(4));
  const uuid = crypto.randomUUID();
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid)) throw new Error(`${uuid} is none`);
  const numbers = Array.from({ length: 1000 }, () => Math.random());
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  if (numbers.some((number) => number < 0 || number >= 1) || Math.abs(mean - 0.5) > 0.1) throw new Error(`${mean} is far off`);
  return [...values, uuid, numbers[0]].map(String);
}
