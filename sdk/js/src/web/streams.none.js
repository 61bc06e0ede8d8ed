// In the place of streams, where a program that has `fetch` never reads a body as one.

export const ReadableStream = undefined;
