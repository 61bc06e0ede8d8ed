// node build.mjs quickjs|spidermonkey NAME out.wasm: builds NAME/NAME.js. Its world NAME is in NAME/wit, and what
// that world imports has to be in NAME/wit/deps.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const engines = {
  // Small and quick to build. `sync`: otherwise it needs a host with async components.
  async quickjs(name) {
    const { default: qjs } = await import('componentize-qjs');
    return qjs.componentize({
      witPath: file(`${name}/wit`),
      world: name,
      jsPath: file(`${name}/${name}.js`),
      jsSource: await readFile(file(`${name}/${name}.js`), 'utf8'),
      sync: true,
    });
  },

  // The engine of Firefox. Without the features switched off here it would import HTTP.
  async spidermonkey(name) {
    const { componentize } = await import('@bytecodealliance/componentize-js');
    return componentize({
      witPath: file(`${name}/wit`),
      worldName: name,
      sourcePath: file(`${name}/${name}.js`),
      disableFeatures: name === 'web' ? ['fetch-event'] : ['http', 'fetch-event'],
    });
  },
};

const [engine, name, out] = process.argv.slice(2);
const { component } = await engines[engine](name);
await writeFile(out, component);
