// Fetches from a trustless gateway with Helia's own clients, and prints what came.
// Arguments: the gateway's URL, the CIDs of a file, of a raw block, and of a list [link, bool].
import { withHTTP } from '@helia/http'
import { createHeliaLight } from 'helia'
import { unixfs } from '@helia/unixfs'
import { CarBlockIterator } from '@ipld/car'
import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'

const [url, file, block, value] = process.argv.slice(2)
const collect = async (pieces) => {
  const all = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

const helia = withHTTP(createHeliaLight(), {
  delegatedRouters: [],
  recursiveGateways: [url],
  allowInsecure: true,
  allowLocal: true,
})
// Helia asks the gateways when other routers have found nobody, and waits for ever if there is none.
helia.addRouter({
  name: 'nobody',
  capabilities: () => ['findProviders'],
  async *findProviders() {},
})
await helia.start()

const named = async (codec, bytes) => CID.create(1, codec, await sha256.digest(bytes)).toString()
const get = async (cid) => collect(await helia.blockstore.get(CID.parse(cid)))
console.log(`block ${await named(raw.code, await get(block))}`)

const content = await collect(unixfs(helia).cat(CID.parse(file)))
console.log(`file ${await named(raw.code, content)}`)

const response = await fetch(`${url}/ipfs/${file}`, { headers: { accept: 'application/vnd.ipld.car;version=1;order=dfs;dups=y' } })
let blocks = 0
for await (const { cid, bytes } of await CarBlockIterator.fromIterable(response.body)) {
  if ((await named(cid.code, bytes)) !== cid.toString()) throw new Error(`${cid} has other bytes`)
  blocks++
}
console.log(`car ${blocks}`)

const [link, bool] = dagCbor.decode(await get(value))
if (link.toString() !== file) throw new Error(`${link} is not ${file}`)
console.log(`value ${bool}`)
await helia.stop()
process.exit(0)
