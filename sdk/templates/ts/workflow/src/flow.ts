// A workflow: the most frequent words of several texts.

import { workflow } from '@homestar/sdk/flow';
import * as component from './component.js';

export const topWords = workflow('top-words', (texts: string[]) => {
  // Each text is a task, and what it gives is passed on as a value would be.
  const counted = texts.map((text) => component.words(text));
  return component.top(counted, 3);
});
