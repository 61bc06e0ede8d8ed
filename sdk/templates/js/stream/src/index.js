// Lines of text that hold another text. However long the text is, a piece of it is held at a time.

/**
 * The lines of `text` that hold `needle`, as they come.
 *
 * @param {AsyncIterable<Uint8Array>} text
 * @param {string} needle
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* filter(text, needle) {
  const encoder = new TextEncoder();
  for await (const lines of found(text, needle)) yield encoder.encode(lines.join(''));
}

/**
 * How many lines of `text` hold `needle`.
 *
 * @param {AsyncIterable<Uint8Array>} text
 * @param {string} needle
 * @returns {Promise<u32>}
 */
export async function count(text, needle) {
  let sum = 0;
  for await (const lines of found(text, needle)) sum += lines.length;
  return sum;
}

/** The lines that are found, those of one piece together. */
async function* found(text, needle) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of text) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split(/(?<=\n)/);
    // The last may have no end yet.
    rest = lines.at(-1)?.endsWith('\n') ? '' : (lines.pop() ?? '');
    const those = lines.filter((line) => line.includes(needle));
    if (those.length > 0) yield those;
  }
  rest += decoder.decode();
  if (rest && rest.includes(needle)) yield [rest];
}
