// The functions of {{name}}.wasm, for workflows: made by `homestar bind`.

import type { Arg, Task, u32 } from '@homestar/sdk/flow';

export interface Word {
  text: string;
  times: u32;
}

/** `words: func(text: string) -> list<word>` */
export function words(text: Arg<string>): Task<Array<Word>>;

/** `top: func(counted: list<list<word>>, count: u32) -> result<list<word>, string>` */
export function top(counted: Arg<Array<Array<Word>>>, count: Arg<u32>): Task<Array<Word>>;
