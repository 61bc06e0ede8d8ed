// Writes javascript.json to the standard output. See README.md.
import * as cbor from '@ipld/dag-cbor'
import * as json from '@ipld/dag-json'
import { CarReader, CarWriter } from '@ipld/car'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import * as Envelope from 'iso-ucan/envelope'
import { Invocation } from 'iso-ucan/invocation'
import { EdDSASigner } from 'iso-signatures/signers/eddsa.js'
import * as EdDSA from 'iso-signatures/verifiers/eddsa.js'
import { Resolver } from 'iso-signatures/verifiers/resolver.js'

const RAW = 0x55
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const utf8 = (text) => new TextEncoder().encode(text)
const cidOf = async (codec, bytes) => CID.create(1, codec, await sha256.digest(bytes))
const hello = await cidOf(RAW, utf8('hello'))

const vector = async (name, value) => {
  const bytes = cbor.encode(value)
  return {
    name,
    json: new TextDecoder().decode(json.encode(value)),
    cbor: hex(bytes),
    cid: (await cidOf(cbor.code, bytes)).toString(),
  }
}

const VALUES = {
  null: null,
  true: true,
  false: false,
  'integers at the edges of each width': [0, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296],
  'negative integers at the edges': [-1, -24, -25, -256, -257, -65536, -65537, -4294967296, -4294967297],
  'the safe integers': [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  'the largest unsigned integer': 18446744073709551615n,
  'the smallest signed integer': -9223372036854775808n,
  'the smallest integer': -18446744073709551616n,
  floats: [0.1, -1.5, 1e-7, 1.5e-6, 1e300, -2.5e-300, 5e-324, 1.7976931348623157e308, 123456.789],
  'an empty text': '',
  'a text to be escaped': '"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028é日😀',
  'empty bytes': new Uint8Array(),
  'bytes of lengths around a multiple of three': [1, 2, 3, 4].map((len) => new Uint8Array(len).fill(0xfb)),
  'a long text': 'x'.repeat(300),
  'a list in a list': [[], [[]], [1, [2, [3]]]],
  'keys of several lengths': { b: 1, aa: 2, a: 3, '': 4, é: 5, zz: 6, Z: 7 },
  'a link': hello,
  'links in maps': { file: hello, more: [hello, { name: 'hello', link: hello }] },
  'the reserved key with plain data': { '/': 1 },
}

// Bytes that are no strict DAG-CBOR, whatever a decoder makes of them.
const REFUSED = {
  'keys not sorted': 'a2616201616101',
  'keys sorted by bytes, not by length': 'a2626161016162 02',
  'a key twice': 'a2616101616102',
  'a key that is an integer': 'a10101',
  'a key that is bytes': 'a1416101',
  'zero in two bytes': '1800',
  'an integer in three bytes that fits two': '1900ff',
  'an integer in five bytes that fits three': '1a0000ffff',
  'an integer in nine bytes that fits five': '1b00000000ffffffff',
  'a negative integer not minimal': '3800',
  'a text length not minimal': '780161',
  'a bytes length not minimal': '580161',
  'a list length not minimal': '980101',
  'a map length not minimal': 'b801616101',
  'a list of indefinite length': '9f01ff',
  'a map of indefinite length': 'bf616101ff',
  'bytes of indefinite length': '5f4101ff',
  'a text of indefinite length': '7f6161ff',
  'a float of 16 bits': 'f93c00',
  'a float of 32 bits': 'fa3f800000',
  'not a number': 'fb7ff8000000000000',
  'not a number in 16 bits': 'f97e00',
  infinity: 'fb7ff0000000000000',
  'negative infinity': 'fbfff0000000000000',
  'negative zero': 'fb8000000000000000',
  undefined: 'f7',
  'a simple value': 'f820',
  'trailing bytes': '0000',
  'nothing at all': '',
  'a value cut short': '8201',
  'a text that is not UTF-8': '61ff',
  'the tag of a time': 'c11a514b67b0',
  'a big integer': 'c249010000000000000000',
  'a tag not minimal': 'd9002a4100',
  'a link without its zero byte': 'd82a450155000161',
  'a link that is empty': 'd82a4100',
  'a link with more behind its CID': 'd82a4700015500016100',
  'a link to a text': 'd82a6161',
  'lists too deep in each other': '81'.repeat(5000) + '80',
}

const takes = (bytes) => {
  try {
    cbor.decode(bytes)
    return 'taken'
  } catch {
    return 'refused'
  }
}
const refused = Object.entries(REFUSED).map(([name, text]) => {
  const cbor = text.replaceAll(' ', '')
  return { name, cbor, javascript: takes(Buffer.from(cbor, 'hex')) }
})

const seed = Uint8Array.from({ length: 32 }, (_, at) => at)
const signer = await EdDSASigner.generate(seed)
const other = await EdDSASigner.generate(new Uint8Array(32).fill(9))

const instructionValue = {
  rsc: hello,
  op: 'wasm/run',
  input: { func: 'acme:math/ops.add', args: [1, -2.5, new Uint8Array([1, 2]), { 'await/ok': hello }] },
  nnc: '',
}
const instruction = await vector('an instruction', instructionValue)
const ran = CID.parse(instruction.cid)

const ok = { ok: [1, 'two', new Uint8Array([3])] }
// A file with these blocks, the first of which is its root.
const car = async (name, blocks) => {
  const named = []
  for (const [codec, bytes] of blocks) named.push({ cid: await cidOf(codec, bytes), bytes })
  const { writer, out } = CarWriter.create([named[0].cid])
  const pieces = []
  const collected = (async () => {
    for await (const piece of out) pieces.push(piece)
  })()
  for (const block of named) await writer.put(block)
  await writer.close()
  await collected
  const file = Buffer.concat(pieces)
  if ((await CarReader.fromBytes(file)).version !== 1) throw new Error(name)
  const entry = ({ cid, bytes }) => ({ cid: cid.toString(), bytes: hex(bytes) })
  return { name, car: hex(file), blocks: named.map(entry) }
}

// The same as version 2: with a header before it, and an index behind it.
const second = async ({ name, car: inner, blocks }) => {
  const first = Buffer.from(inner, 'hex')
  const numbers = Buffer.alloc(24)
  const place = 51 + 5
  ;[place, first.length, place + first.length].forEach((number, at) => numbers.writeBigUInt64LE(BigInt(number), at * 8))
  const pragma = Buffer.concat([Buffer.from([10]), cbor.encode({ version: 2 })])
  const file = Buffer.concat([pragma, Buffer.alloc(16), numbers, Buffer.alloc(5), first, utf8('index')])
  const reader = await CarReader.fromBytes(file)
  const read = []
  for await (const { cid, bytes } of reader.blocks()) read.push({ cid: cid.toString(), bytes: hex(bytes) })
  if (reader.version !== 2 || JSON.stringify(read) !== JSON.stringify(blocks)) throw new Error(name)
  return { name: `version 2: ${name}`, car: hex(file), blocks }
}

const cars = [
  await car('one raw block', [[RAW, utf8('hello')]]),
  await car('blocks of two codecs, one of them empty', [
    [cbor.code, cbor.encode({ link: hello })],
    [RAW, utf8('hello')],
    [RAW, new Uint8Array()],
  ]),
  await car('a block whose length takes two bytes', [[RAW, new Uint8Array(300).fill(7)]]),
]

const outcomes = [
  await vector('a value', ok),
  await vector('an error of the guest', { error: { kind: 'guest', message: 'no such city', value: { code: 404 } } }),
  await vector('a trap', { error: { kind: 'trap', message: 'unreachable' } }),
]

const receipt = {
  iss: signer.did,
  sub: signer.did,
  cmd: '/ucan/assert/receipt',
  args: { ran, out: ok, run: [hello] },
  prf: [],
  nonce: new Uint8Array(),
  exp: null,
  meta: {
    component: hello,
    func: 'acme:math/ops.add',
    effects: [hello],
    trace: ran,
    fuel: 18446744073709551615n,
    memory_peak: 65536,
    engine: 'vectors 1.0.0',
  },
}
const request = {
  iss: signer.did,
  aud: other.did,
  sub: signer.did,
  cmd: '/wasm/run',
  args: { func: 'add' },
  prf: [],
  nonce: new Uint8Array(12).fill(5),
  exp: 4102444800,
  iat: 1700000000,
  cause: ran,
  meta: {},
}

const verifierResolver = new Resolver({ ...EdDSA.verifier })

// What iso-ucan makes of a token: its Invocation refuses any link in args, so of those only the envelope is
// read and the signature checked.
const check = async (bytes) => {
  try {
    await Invocation.from({ bytes, verifierResolver, resolveProof: () => undefined })
    return 'accepted as an invocation'
  } catch (error) {
    if (!error.message.startsWith('Invalid args')) throw error
  }
  const { alg, payload, signature, spec, version } = Envelope.decode({ envelope: bytes })
  const { signaturePayload } = await Envelope.sign({ spec, version, signer, payload })
  const message = cbor.encode(signaturePayload)
  const verified = await verifierResolver.verify({ signature, message, did: signer, type: alg })
  if (!verified) throw new Error('signature refused')
  return 'signature verified'
}

const mint = async (name, version, payload) => {
  const bytes = Envelope.encode(await Envelope.sign({ spec: 'inv', version, signer, payload }))
  return { name, cbor: hex(bytes), cid: (await cidOf(cbor.code, bytes)).toString(), iso_ucan: await check(bytes) }
}

const values = []
for (const [name, value] of Object.entries(VALUES)) values.push(await vector(name, value))

const document = {
  made_by: 'make.mjs with @ipld/car 5.4.7, @ipld/dag-cbor 10.0.2, @ipld/dag-json 11.0.1, iso-ucan 0.5.0',
  values,
  refused,
  key: { seed: hex(seed), did: signer.did, other: other.did },
  instruction,
  outcomes,
  cars,
  second_cars: await Promise.all(cars.map(second)),
  invocations: [
    await mint('a receipt', '1.0.0', receipt),
    await mint('a receipt of the release candidate', '1.0.0-rc.1', receipt),
    await mint('a request', '1.0.0', request),
    await mint('a request of the release candidate', '1.0.0-rc.1', request),
  ],
}
console.log(JSON.stringify(document, null, 1))
