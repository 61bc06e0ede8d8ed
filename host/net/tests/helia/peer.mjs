// A peer: js-libp2p and Helia's Bitswap. Prints where it listens, and then does what its standard input says, one line each:
//
//   add BYTES LEAF       makes a file of so many bytes, in leaves of so many, and prints its CID and its SHA-256
//   get ADDRESS CID      connects to a peer, and prints how many bytes a file has and their SHA-256
//   lacks ADDRESS CID    connects to a peer, and prints whether it can be had from it
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'

const helia = withBitswap(
  withLibp2pLight(createHeliaLight(), {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  }),
)
// Others are asked when Bitswap finds nobody, for ever if there is none.
helia.addRouter({ name: 'nobody', capabilities: () => ['findProviders'], async *findProviders() {} })
await helia.start()
const files = unixfs(helia)
console.log(helia.libp2p.getMultiaddrs()[0].toString())

const get = async (cid, signal) => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of files.cat(CID.parse(cid), { signal })) {
    hash.update(piece)
    bytes += piece.length
  }
  return `${bytes} ${hash.digest('hex')}`
}

const commands = {
  async add(bytes, leaf) {
    const content = new Uint8Array(Number(bytes)).map((_, at) => (at * 7919 + (at >> 9) + (at >> 17) * 31) & 0xff)
    const cid = await files.addBytes(content, { rawLeaves: true, cidVersion: 1, chunker: fixedSize({ chunkSize: Number(leaf) }) })
    return `${cid} ${createHash('sha256').update(content).digest('hex')}`
  },
  async get(address, cid) {
    await helia.libp2p.dial(multiaddr(address))
    // The first read of a new connection is given up by Helia now and then, although the blocks came.
    try {
      return await get(cid, AbortSignal.timeout(20_000))
    } catch {
      return await get(cid)
    }
  },
  async lacks(address, cid) {
    await helia.libp2p.dial(multiaddr(address))
    try {
      await get(cid, AbortSignal.timeout(2_000))
      return 'has it'
    } catch {
      return 'lacks it'
    }
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...rest] = line.split(' ')
  console.log(await commands[command](...rest))
}
process.exit(0)
