// The streams of the web, by web-streams-polyfill. A program that names one has them.

import {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableStream,
  TransformStream,
  WritableStream,
} from 'web-streams-polyfill';
import { TextDecoder, TextEncoder } from '../text.js';

export { ByteLengthQueuingStrategy, CountQueuingStrategy, ReadableStream, TransformStream, WritableStream };

/** Text in UTF-8 that comes in pieces. */
export class TextDecoderStream {
  constructor(label = 'utf-8') {
    const decoder = new TextDecoder(label);
    const say = (controller, text) => {
      if (text) controller.enqueue(text);
    };
    const { readable, writable } = new TransformStream({
      transform: (piece, controller) => say(controller, decoder.decode(piece, { stream: true })),
      flush: (controller) => say(controller, decoder.decode()),
    });
    Object.assign(this, { encoding: decoder.encoding, readable, writable });
  }
}

/** Text as UTF-8. */
export class TextEncoderStream {
  constructor() {
    const encoder = new TextEncoder();
    // Half of a pair, whose other half comes with the next piece.
    let half = '';
    const { readable, writable } = new TransformStream({
      transform(piece, controller) {
        const text = half + String(piece);
        half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : '';
        const whole = text.slice(0, text.length - half.length);
        if (whole) controller.enqueue(encoder.encode(whole));
      },
      flush(controller) {
        if (half) controller.enqueue(encoder.encode(half));
      },
    });
    Object.assign(this, { encoding: encoder.encoding, readable, writable });
  }
}
