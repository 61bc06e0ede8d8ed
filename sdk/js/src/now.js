// Whether the program runs, which it doesn't while the component is built: then there is no host.

// Where WIT is written by hand, nobody says when it begins.
export const now = { runs: typeof homestarByHand !== 'undefined' };

/** Why something of the host's isn't there yet. */
export function early(what) {
  return new Error(`${what} was asked for while the component is built, where there is no task; ask within a function`);
}
