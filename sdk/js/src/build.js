#!/usr/bin/env node
// `homestar-js --name NAME --output FILE`: builds the component of a project. `homestar build` calls it.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decode } from '@jridgewell/sourcemap-codec';
import qjs from 'componentize-qjs';
import { build as bundle } from 'esbuild';
import { Interface } from './derive.js';
import { DeriveError, Sources } from './source.js';

/** How a file begins that may be written anew. */
const DERIVED = '// Derived from ';

/** Why there is no component. */
class BuildError extends Error {}

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

async function main() {
  const { values } = parseArgs({
    options: {
      name: { type: 'string' },
      output: { type: 'string' },
      wit: { type: 'string', default: 'wit' },
      // The folder of WIT with the interfaces of Homestar.
      contracts: { type: 'string' },
    },
  });
  if (!values.name || !values.output) throw new BuildError('--name NAME and --output FILE are needed');
  const entry = main_file();
  const written = existsSync(values.wit) ? readdirSync(values.wit).filter((file) => file.endsWith('.wit')) : [];
  const isByHand = written.some((file) => !readFileSync(join(values.wit, file), 'utf8').startsWith(DERIVED));
  const component = await (isByHand ? byHand(entry, values.wit) : derived(entry, values));
  const unfinished = `${values.output}.unfinished`;
  writeFileSync(unfinished, component);
  renameSync(unfinished, values.output);
}

/** What the web has and QuickJS hasn't. A program that names one has it, and asks for the interface behind it. */
const WEB = ['web/crypto.js', 'web/fetch.js', 'web/random.js', 'web/streams.js'];

const GLOBALS = [
  ...['CryptoKey', 'crypto', 'Headers', 'Request', 'Response', 'fetch', 'ByteLengthQueuingStrategy', 'CountQueuingStrategy'],
  ...['ReadableStream', 'TransformStream', 'WritableStream', 'TextDecoderStream', 'TextEncoderStream'],
];

/** The same by longer names. A part of something is named by itself, so that only what it takes is asked for. */
const NAMES = {
  'Math.random': 'homestarRandom',
  ...Object.fromEntries(GLOBALS.map((name) => [`globalThis.${name}`, name])),
  ...Object.fromEntries(
    ['crypto', 'globalThis.crypto'].flatMap((crypto) => [
      [`${crypto}.getRandomValues`, 'homestarRandomValues'],
      [`${crypto}.randomUUID`, 'homestarRandomUUID'],
      [`${crypto}.subtle`, 'homestarSubtle'],
    ]),
  ),
};

/** How the package of which programs have random values is written: as much of it as they use. */
const RANDOM = `package wasi:random@0.2.12;

interface random {
    get-random-bytes: func(len: u64) -> list<u8>;
}

interface insecure {
    get-insecure-random-bytes: func(len: u64) -> list<u8>;
}
`;

/** The file that a project is, as package.json says or where it usually is. */
function main_file() {
  const { main } = JSON.parse(readFileSync('package.json', 'utf8'));
  const usual = main ? [main] : ['src/index.ts', 'src/index.js', 'index.ts', 'index.js'];
  const found = usual.find((file) => existsSync(file));
  if (!found) throw new BuildError(`there is no ${usual.join(', ')} here; "main" in package.json names the file of the tasks`);
  return resolve(found);
}

async function derived(entry, { name, wit, contracts }) {
  if (!contracts) throw new BuildError('--contracts FOLDER is needed to derive WIT');
  const interface_ = new Interface(name, new Sources().file(entry));
  const program = { contents: interface_.javascript(entry, here('runtime.js')), resolveDir: process.cwd() };
  const { asked, ...bundle } = await bundled({ stdin: program, inject: WEB.map(here), define: NAMES });
  const text = interface_.wit(asked);
  mkdirSync(wit, { recursive: true });
  const file = join(wit, `${name}.wit`);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
  const folder = mkdtempSync(join(tmpdir(), 'homestar-'));
  try {
    writeFileSync(join(folder, 'world.wit'), text);
    cpSync(join(contracts, 'deps'), join(folder, 'deps'), { recursive: true });
    writeFileSync(join(folder, 'deps/random.wit'), RANDOM);
    return await componentize(bundle, folder, interface_.isAsync);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function byHand(entry, wit) {
  const bundle = await bundled({ entryPoints: [entry], define: { homestarByHand: 'true' } });
  const files = readdirSync(wit).filter((file) => file.endsWith('.wit'));
  const isAsync = files.some((file) => WAITS.test(readFileSync(join(wit, file), 'utf8').replace(/\/\/.*/g, '')));
  return await componentize(bundle, resolve(wit), isAsync);
}

/**
 * The program as one file, which says where its lines come from, and the interfaces that it asks for: imports of those stay
 * as they are.
 */
async function bundled(input, isStreamed = false) {
  const world = {
    name: 'world',
    setup(build) {
      build.onResolve({ filter: /^[a-z][a-z0-9-]*:[a-z]/ }, ({ path }) =>
        path.startsWith('node:') ? undefined : { path, external: true },
      );
      const streams = here(isStreamed ? 'web/streams.js' : 'web/streams.none.js');
      build.onResolve({ filter: /^#streams$/ }, () => ({ path: streams }));
    },
  };
  try {
    const { outputFiles, metafile } = await bundle({
      ...input,
      bundle: true,
      format: 'esm',
      target: 'es2023',
      write: false,
      metafile: true,
      // Modules for effects are bound to the world.
      conditions: ['homestar'],
      outdir: '.',
      sourcemap: 'external',
      logLevel: 'silent',
      plugins: [world],
    });
    if (!isStreamed && streams(metafile)) return bundled(input, true);
    const file = (ending) => outputFiles.find(({ path }) => path.endsWith(ending)).text;
    const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
    const asked = imports.filter((one) => one.external).map((one) => one.path);
    const places = origins(JSON.parse(file('.map')));
    // It stands at the end, so that it moves no line.
    const source = `${file('.js')};globalThis.homestarOrigins = ${JSON.stringify(places)};\n`;
    return { source, places, asked: [...new Set(asked)].sort() };
  } catch (error) {
    const lines = (error.errors ?? []).map(({ location, text }) => `${location ? `${location.file}:${location.line}: ` : ''}${text}`);
    throw new BuildError(lines.join('\n') || error.message);
  }
}

/**
 * Whether a program that has `fetch` may use the body of a response as a stream. Streams are a megabyte of component, so
 * they come with `fetch` only then.
 */
function streams({ inputs, outputs }) {
  const used = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const has = (file) => used.some(([path, { bytesInOutput }]) => bytesInOutput > 0 && resolve(path) === here(file));
  if (!has('web/fetch.js')) return false;
  const isOwn = (path) => existsSync(path) && !resolve(path).startsWith(here('.'));
  const names = (path) => /\bbody\b(?!\s*:)/.test(readFileSync(path, 'utf8'));
  return has('web/streams.js') || Object.keys(inputs).some((path) => isOwn(path) && names(path));
}

/** From which file and line each line comes, for stacks. */
function origins({ sources, mappings }) {
  const lines = decode(mappings).map((segments) => {
    const [, source, line] = segments.find((segment) => segment.length > 1) ?? [];
    return source === undefined ? 0 : [source, line + 1];
  });
  const ours = here('.');
  // Frames of the SDK help nobody.
  const isOurs = (file) => resolve(file).startsWith(ours) || file.startsWith('<') || file.includes('/web-streams-polyfill/');
  const files = sources.map((file) => (isOurs(file) ? '' : file));
  return { files, lines };
}

/** What in WIT takes a runtime that waits. */
const WAITS = /\basync\b|\b(stream|future)\b/;

async function componentize({ source: jsSource, places }, witPath, isAsync) {
  try {
    // Calls of components that never wait cost less.
    const { component } = await qjs.componentize({ witPath, jsSource, sync: !isAsync });
    return component;
  } catch (error) {
    throw new BuildError(told(error.message, places));
  }
}

/** What the builder says, by the files and lines that a person wrote. */
function told(message, { files, lines }) {
  const [, words] = message.match(/^[^]*JavaScript module(?: evaluation)?: ([^]*)$/) ?? [];
  if (words === undefined) return message;
  const own = words.trimEnd().split('\n').flatMap((line) => {
    const [, name, number] = line.match(/^ *at (.+?) \(.*:(\d+):\d+\)$/) ?? [];
    if (name === undefined) return [line];
    const [file, from] = lines[number - 1] || [];
    return files[file] ? [`    at ${name.replace('<anonymous>', 'the module')} (${files[file]}:${from})`] : [];
  });
  return `the program failed while the component was built, which runs it once\n${own.join('\n')}`;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof BuildError || error instanceof DeriveError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
