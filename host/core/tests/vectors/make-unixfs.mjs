// Writes unixfs.json to the standard output: names of files and directories, and blocks to be read. See README.md.
import { readFileSync } from 'node:fs'
import * as dagPb from '@ipld/dag-pb'
import { MemoryBlockstore } from 'blockstore-core'
import { exporter } from 'ipfs-unixfs-exporter'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { CID } from 'multiformats/cid'
import { identity } from 'multiformats/hashes/identity'

const KIB = 1024
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const utf8 = (text) => new TextEncoder().encode(text)

// The bytes of a file of so many: the test has the same rule.
const content = (size) => Uint8Array.from({ length: size }, (_, at) => Math.imul(at, 2654435761) >>> 24)

const importAll = async (source, options) => {
  const store = new MemoryBlockstore()
  let root
  for await (const entry of importer(source, store, { cidVersion: 1, rawLeaves: true, ...options })) root = entry
  return { store, root }
}

// All blocks below a root, under the names by which they are linked.
const reachable = async (store, root) => {
  const found = new Map()
  const visit = async (cid) => {
    if (found.has(cid.toString()) || cid.multihash.code === identity.code) return
    const pieces = []
    for await (const piece of store.get(cid)) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    found.set(cid.toString(), hex(bytes))
    if (cid.code === dagPb.code) for (const link of dagPb.decode(bytes).Links) await visit(link.Hash)
  }
  await visit(root)
  return [...found].map(([cid, bytes]) => ({ cid, bytes }))
}

const layoutOf = (chunk, links) => ({ chunker: fixedSize({ chunkSize: chunk }), layout: balanced({ maxChildrenPerNode: links }) })

const file = async (size, chunk, links, leaves) => {
  const options = { ...layoutOf(chunk, links), rawLeaves: leaves === 'raw', leafType: 'file' }
  const { root } = await importAll([{ path: 'f', content: content(size) }], options)
  return { size, chunk, links, leaves, cid: root.cid.toString(), total: Number(root.size) }
}

const files = []
// What `ipfs add --cid-version 1` does, at its edges.
const CHUNK = 256 * KIB
for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1_000_000, 174 * CHUNK - 1, 174 * CHUNK, 174 * CHUNK + 1, 175 * CHUNK]) {
  files.push(await file(size, CHUNK, 174, 'raw'))
}
// The same tree in three levels and more, with small chunks.
for (const size of [173, 174, 175, 174 * 2, 174 * 174 - 1, 174 * 174, 174 * 174 + 1, 174 * 174 + 175]) {
  files.push(await file(size, 1, 174, 'raw'))
  files.push(await file(size, 1, 174, 'dag-pb'))
}
for (const size of [0, 1, 10, 11, 20, 30, 31, 90, 91, 270, 271, 1000, 2431]) {
  for (const leaves of ['raw', 'dag-pb']) {
    files.push(await file(size, 10, 3, leaves))
    files.push(await file(size, 7, 2, leaves))
  }
}
for (const size of [0, CHUNK, CHUNK + 1, 3_000_000]) files.push(await file(size, CHUNK, 174, 'dag-pb'))
for (const size of [1024 * KIB, 1024 * KIB + 1, 5_000_000]) files.push(await file(size, 1024 * KIB, 1024, 'raw'))

// A directory whose entries are files that hold their own names.
const directory = async (about, names, options = {}) => {
  const source = names.map((name) => ({ path: `d/${name}`, content: utf8(name) }))
  const { root } = await importAll(source, options)
  const { shardSplitThresholdBytes: shardAbove } = options
  return { ...about, shard_above: shardAbove, cid: root.cid.toString(), total: Number(root.size) }
}
const count = (count, pattern) => Array.from({ length: count }, (_, at) => pattern.replace('#', at))
const numbered = (many, pattern, more, options) =>
  directory({ count: many, pattern, more }, [...count(many, pattern), ...more], options)

const UNUSUAL = ['b', 'a', 'Z', 'é', 'e\u0301', 'z', '10', '9', ' ', '...', '.x', 'a b', 'a\\b', '\ufffd', '\u{1f600}', 'x'.repeat(255)]
const SHARDED = { shardSplitThresholdBytes: 0 }
const directories = [
  await directory({ count: 0, pattern: '#', more: UNUSUAL }, UNUSUAL),
  await numbered(1, '#', []),
  await numbered(1000, 'file-#.txt', []),
  await numbered(1, '#', [], SHARDED),
  await numbered(2, '#', [], SHARDED),
  await numbered(0, '#', UNUSUAL, SHARDED),
  await numbered(300, 'file-#.txt', UNUSUAL, SHARDED),
  await numbered(20_000, 'f#', []),
]
// Names and CIDs of 262,144 bytes together stay in one block, of one more they don't. A CID has 36.
const names = count(5000, 'entry-#-xx')
const bytes = names.reduce((sum, name) => sum + name.length + 36, 0)
for (const missing of [0, 1]) {
  const left = 256 * KIB - bytes + missing
  const more = []
  for (let rest = left; rest > 0; ) {
    const length = rest > 400 ? 200 : rest - 36
    more.push(`${more.length}`.padEnd(length, 'y'))
    rest -= length + 36
  }
  directories.push(await numbered(5000, 'entry-#-xx', more))
}

// Whole things with all their blocks, and what is in them.
const tree = async (name, source, options) => {
  const { store, root } = await importAll(source, options)
  const found = []
  const walk = async (cid, path) => {
    const entry = await exporter(cid, store)
    if (entry.type === 'directory') {
      for await (const { name, cid } of entry.entries()) await walk(cid, path === '' ? name : `${path}/${name}`)
    } else if (entry.unixfs?.type === 'symlink') {
      found.push({ path, target: new TextDecoder().decode(entry.unixfs.data) })
    } else {
      const pieces = []
      for await (const piece of entry.content()) pieces.push(piece)
      found.push({ path, bytes: hex(Buffer.concat(pieces)) })
    }
  }
  await walk(root.cid, '')
  return { name, root: root.cid.toString(), total: Number(root.size), holds: found, blocks: await reachable(store, root.cid) }
}

const small = [
  { path: 'd/hello.txt', content: utf8('hello') },
  { path: 'd/sub/long', content: content(100) },
  { path: 'd/sub/empty', content: utf8('') },
  { path: 'd/to', link: 'sub/../hello.txt' },
]
const dated = small.map((entry, at) => ({ ...entry, mode: 0o640 + at, mtime: { secs: BigInt(at - 2) * 1_000_000n, nsecs: at * 7 } }))
const chunks = layoutOf(10, 3)
const many = count(60, 'name-#').map((name) => ({ path: `d/${name}`, content: utf8(name) }))
const trees = [
  await tree('a directory', small, chunks),
  await tree('version 0 and leaves of dag-pb', small, { ...chunks, cidVersion: 0, rawLeaves: false }),
  await tree('leaves of the type raw', small, { ...chunks, rawLeaves: false, leafType: 'raw' }),
  await tree('a leaf below a node of its own', small, { ...chunks, reduceSingleLeafToSelf: false }),
  await tree('mode and time', dated, chunks),
  await tree('data before links', small, { ...chunks, fieldOrder: 'data-first' }),
  await tree('shards', small, { ...chunks, ...SHARDED }),
  await tree('shards of 8', many, { ...SHARDED, shardFanoutBits: 3 }),
  await tree('shards of 16', many, { ...SHARDED, shardFanoutBits: 4 }),
  await tree('shards of 512', many, { ...SHARDED, shardFanoutBits: 9 }),
  await tree('shards of 256', many, SHARDED),
  await tree('a file in a directory around it', [{ path: 'hello.txt', content: utf8('hello') }], { wrapWithDirectory: true }),
]

const versions = JSON.parse(readFileSync(new URL('./package.json', import.meta.url))).dependencies
const made_by = `make-unixfs.mjs with ipfs-unixfs-importer ${versions['ipfs-unixfs-importer']} and ipfs-unixfs-exporter ${versions['ipfs-unixfs-exporter']}`
console.log(JSON.stringify({ made_by, files, directories, trees }, null, 1))
