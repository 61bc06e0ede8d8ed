// Files and links: content that is passed on by its name.

import { output } from './program.js';

/** A file or folder, by a path, an `ipfs://` or an `https://` URL. */
export class File {
  constructor(name) {
    if (typeof name !== 'string' || name === '') throw new TypeError('a file has a name');
    this.name = name;
  }
}

export function file(name) {
  return new File(name);
}

/** Content, by its CID. */
export class Link {
  constructor(cid) {
    this.cid = cid;
  }

  /** All its bytes. */
  async read() {
    return new Uint8Array(await output(['cat', this.cid]));
  }

  /** All of it, as text. */
  async text() {
    return new TextDecoder().decode(await this.read());
  }

  /** Writes it to a path where nothing is yet: a file, or a folder with all that is in it. */
  async save(path) {
    await output(['get', this.cid, '--output', path]);
  }
}

/** Stands for what a task gives that is secret: it doesn't leave the store. */
export class Secret {}
