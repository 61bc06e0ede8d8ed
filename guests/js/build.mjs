// node build.mjs quickjs|spidermonkey WORLD out.wasm: builds WORLD.js, which lies beside this file.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const engines = {
  // Small and quick to build. `sync`: otherwise it needs a host with async components.
  async quickjs(world) {
    const { default: qjs } = await import('componentize-qjs');
    return qjs.componentize({
      witPath: file('wit'),
      world,
      jsPath: file(`${world}.js`),
      jsSource: await readFile(file(`${world}.js`), 'utf8'),
      sync: true,
    });
  },

  // The engine of Firefox. Without the features switched off here it would import HTTP.
  async spidermonkey(world) {
    const { componentize } = await import('@bytecodealliance/componentize-js');
    return componentize({
      witPath: file('wit'),
      worldName: world,
      sourcePath: file(`${world}.js`),
      disableFeatures: ['http', 'fetch-event'],
    });
  },
};

const [engine, world, out] = process.argv.slice(2);
const { component } = await engines[engine](world);
await writeFile(out, component);
