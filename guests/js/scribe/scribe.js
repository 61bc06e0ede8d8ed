// Reads files and writes others.

import { Blob, Sink } from 'homestar:blocks/files@0.1.0';

const STEP = 256 * 1024;

export function lines(text) {
  let count = 0;
  for (const piece of pieces(text)) {
    count += piece.reduce((lines, byte) => lines + (byte === 10 ? 1 : 0), 0);
  }
  return u64(text)(count);
}

export function shout(text) {
  const sink = told(() => Sink.create());
  for (const piece of pieces(text)) {
    sink.write(piece.map((byte) => (byte >= 97 && byte <= 122 ? byte - 32 : byte)));
  }
  return told(() => Sink.finish(sink));
}

export function peek(cid) {
  const blob = told(() => Blob.open(cid));
  return told(() => blob.read(u64(blob)(0), 16));
}

// The bytes of a file, piece by piece.
function* pieces(blob) {
  const number = u64(blob);
  for (let offset = 0; ; ) {
    const piece = Uint8Array.from(told(() => blob.read(number(offset), STEP)));
    if (piece.length === 0) return;
    yield piece;
    offset += piece.length;
  }
}

// An u64 is a number on QuickJS and a BigInt on SpiderMonkey.
function u64(blob) {
  return typeof blob.size() === 'bigint' ? BigInt : Number;
}

// Calls a function. Its error becomes one of ours, as text.
function told(call) {
  try {
    return call();
  } catch (error) {
    const { tag } = error.payload ?? error;
    throw String(tag ?? error);
  }
}
