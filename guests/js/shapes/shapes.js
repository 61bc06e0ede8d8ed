// Takes and gives values of any shape, by `homestar:std/ipld`.

import { Value } from 'homestar:std/ipld@0.1.0';

export function twice(value) {
  return asked(() => doubled(value));
}

export function twiceJson(text) {
  return asked(() => doubled(Value.ofDagJson(text)).toDagJson());
}

export function find(value, paths) {
  return [value.cid(), paths.map((path) => at(value, path))];
}

// Integers are larger than numbers are exact.
function doubled(value) {
  switch (value.kind()) {
    case 'integer':
      return Value.ofDecimal(String(2n * BigInt(value.asDecimal())));
    case 'list':
      return Value.ofList(value.asList().map(doubled));
    case 'map':
      return Value.ofMap(value.asMap().map(([key, item]) => [key, doubled(item)]));
    default:
      return value.copy();
  }
}

function at(value, path) {
  try {
    return value.at(path);
  } catch {
    return undefined;
  }
}

// Calls a function. An error of `ipld` becomes one of ours, as text.
function asked(call) {
  try {
    return call();
  } catch (error) {
    const { tag, val } = error.payload ?? error;
    throw val === undefined ? String(tag ?? error) : `${tag}: ${val}`;
  }
}
