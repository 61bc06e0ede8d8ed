// The functions of {{name}}.wasm, for workflows: made by `homestar bind`.

import { Component, types as t } from '@homestar/sdk/flow';

const component = new Component("{{name}}.wasm");

const Word = t.record("Word", {
  "text": t.string,
  "times": t.u32,
});

export const words = component.function("words", "words", [["text", t.string]], 0, t.list(Word));

export const top = component.function("top", "top", [["counted", t.list(t.list(Word))], ["count", t.u32]], 0, t.list(Word));
