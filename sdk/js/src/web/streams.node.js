export { ReadableStream } from 'node:stream/web';
