// The functions of {{name}}.wasm, for workflows: made by `homestar bind`.

import { Component, types as t } from '@homestar/sdk/flow';
import type { Arg, Task, u32 } from '@homestar/sdk/flow';

const component = new Component("{{name}}.wasm");

export interface Word {
  text: string;
  times: u32;
}

const Word = t.record("Word", {
  "text": t.string,
  "times": t.u32,
});

/** `words: func(text: string) -> list<word>` */
export const words: (text: Arg<string>) => Task<Array<Word>> =
  component.function("words", "words", [["text", t.string]], 0, t.list(Word));

/** `top: func(counted: list<list<word>>, count: u32) -> result<list<word>, string>` */
export const top: (counted: Arg<Array<Array<Word>>>, count: Arg<u32>) => Task<Array<Word>> =
  component.function("top", "top", [["counted", t.list(t.list(Word))], ["count", t.u32]], 0, t.list(Word));
