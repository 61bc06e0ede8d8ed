// Calls that don't fit, each of which the compiler refuses.

import { Link, file, workflow } from '@homestar/sdk/flow';
import * as image from './image.js';
import * as text from './text.js';
import * as zoo from './zoo.js';

export const wrong = workflow('wrong', () => {
  const seven = zoo.echoU32(7);
  const words = zoo.echoString('words');
  const picture = image.grayscale(file('cat.png'));
  // @ts-expect-error
  zoo.echoU33(7);
  // @ts-expect-error
  zoo.echoU32();
  // @ts-expect-error
  zoo.echoU32(7, 8);
  // @ts-expect-error
  zoo.echoU32('7');
  // @ts-expect-error
  zoo.echoU32(words);
  // @ts-expect-error
  zoo.echoString(seven);
  // @ts-expect-error
  zoo.echoListU32(['7']);
  // @ts-expect-error
  zoo.echoListU32([words]);
  // @ts-expect-error
  zoo.echoPoint({ x: 1 });
  // @ts-expect-error
  zoo.echoPoint({ x: 1, y: '2' });
  // @ts-expect-error
  zoo.echoPoint({ x: 1, y: 2, z: 3 });
  // @ts-expect-error
  zoo.echoColor('pink');
  // @ts-expect-error
  zoo.echoShape({ tag: 'circle', val: 'round' });
  // @ts-expect-error
  image.grayscale('cat.png');
  // @ts-expect-error
  image.grayscale(seven);
  // @ts-expect-error
  text.wordCount(picture);
  // @ts-expect-error
  seven.options({ labels: 'a' });
  // These are fine: content is content, and a bigint may be a number.
  image.rotate90(picture);
  image.rotate90(new Link('bafkreibddp4j24tie2eryflyvd76a2wytdtq5swuvwyhm2gc3g7mu42lbq'));
  zoo.echoU64(7);
  zoo.echoPoint({ x: 1, y: zoo.echoF64(2) });
});
