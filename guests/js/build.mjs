// node build.mjs quickjs|spidermonkey out.wasm: builds people.js, which lies beside this file.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const engines = {
  // Small and quick to build. `sync`: otherwise it needs a host with async components.
  async quickjs() {
    const { default: qjs } = await import('componentize-qjs');
    return qjs.componentize({
      witPath: file('wit'),
      world: 'people',
      jsPath: file('people.js'),
      jsSource: await readFile(file('people.js'), 'utf8'),
      sync: true,
    });
  },

  // The engine of Firefox. Without the features switched off here it would import HTTP.
  async spidermonkey() {
    const { componentize } = await import('@bytecodealliance/componentize-js');
    return componentize({
      witPath: file('wit'),
      worldName: 'people',
      sourcePath: file('people.js'),
      disableFeatures: ['http', 'fetch-event'],
    });
  },
};

const [engine, out] = process.argv.slice(2);
const { component } = await engines[engine]();
await writeFile(out, component);
