// Writes ucan.json to the standard output. See README.md.
import * as Envelope from 'iso-ucan/envelope'
import { Delegation } from 'iso-ucan/delegation'
import { Invocation } from 'iso-ucan/invocation'
import { validate } from 'iso-ucan/policy'
import { ECDSASigner } from 'iso-signatures/signers/ecdsa.js'
import { EdDSASigner } from 'iso-signatures/signers/eddsa.js'
import { ES256KSigner } from 'iso-signatures/signers/es256k.js'
import * as ECDSA from 'iso-signatures/verifiers/ecdsa.js'
import * as EdDSA from 'iso-signatures/verifiers/eddsa.js'
import { Resolver } from 'iso-signatures/verifiers/resolver.js'

const hex = (bytes) => Buffer.from(bytes).toString('hex')
const verifierResolver = new Resolver({ ...EdDSA.verifier, ...ECDSA.verifier })
const FAR = 4102444800
const PAST = 1000000000

const ed = (n) => EdDSASigner.generate(new Uint8Array(32).fill(n))
const k1 = (n) => ES256KSigner.generate(new Uint8Array(32).fill(n))
const p256 = () => ECDSASigner.generate('P-256')
const mint = async (spec, version, signer, payload) =>
  Envelope.encode(await Envelope.sign({ spec, version, signer, payload }))

// What iso-ucan makes of an invocation.
const verdict = async (invocation, delegations) => {
  const byCid = new Map(delegations.map((one) => [one.cid.toString(), one]))
  try {
    await Invocation.from({
      bytes: invocation,
      verifierResolver,
      resolveProof: async (cid) => byCid.get(cid.toString()),
    })
    return 'ok'
  } catch (error) {
    return String(error.message)
  }
}

// A chain of these keys, each giving to the next, and the invocation by the last. `hop` changes a delegation's
// payload, `inv` the invocation's.
const chain = async (name, version, keys, { hop = () => ({}), inv = {} } = {}) => {
  const subject = keys[0].did
  const proofs = []
  const delegations = []
  for (let at = 0; at + 1 < keys.length; at++) {
    const payload = {
      iss: keys[at].did,
      aud: keys[at + 1].did,
      sub: subject,
      cmd: '/wasm',
      pol: [],
      nonce: new Uint8Array(12).fill(at),
      exp: FAR,
      ...hop(at),
    }
    const bytes = await mint('dlg', version, keys[at], payload)
    proofs.push(hex(bytes))
    const read = await Delegation.from({ bytes, verifierResolver }).catch((error) => error)
    // An expired one isn't read, but it has a CID.
    delegations.push(read instanceof Error ? { cid: (await Envelope.decode({ envelope: bytes })).cid } : read)
  }
  const payload = {
    iss: keys.at(-1).did,
    sub: subject,
    cmd: '/wasm/run',
    args: { func: 'add', fuel: 100 },
    prf: delegations.map((one) => one.cid).filter(Boolean),
    nonce: new Uint8Array(),
    exp: FAR,
    ...inv,
  }
  const invocation = await mint('inv', version, keys.at(-1), payload)
  return {
    name,
    tag: version,
    keys: keys.map((key) => key.did),
    proofs,
    invocation: hex(invocation),
    iso_ucan: await verdict(invocation, delegations),
  }
}

const makers = { Ed25519: ed, 'P-256': p256, secp256k1: k1 }
const chains = []
for (const version of ['1.0.0', '1.0.0-rc.1']) {
  for (const [one, makeOne] of Object.entries(makers)) {
    for (const [other, makeOther] of Object.entries(makers)) {
      const keys = [await makeOne(1), await makeOther(2), await makeOne(3), await makeOther(4)]
      chains.push(await chain(`${one} and ${other}`, version, keys))
    }
  }
}
const keys = [await ed(1), await k1(2), await p256(), await ed(4)]
const v = '1.0.0'
chains.push(
  await chain('nobody between', v, [await ed(1)]),
  await chain('a powerline', v, keys, { hop: (at) => (at === 1 ? { sub: null } : {}) }),
  await chain('policies that hold', v, keys, {
    hop: () => ({ pol: [['==', '.func', 'add'], ['<=', '.fuel', 100]] }),
  }),
  await chain('a policy that does not hold', v, keys, {
    hop: (at) => (at === 1 ? { pol: [['<=', '.fuel', 99]] } : {}),
  }),
  await chain('a command beside the one given', v, keys, { inv: { cmd: '/https/get' } }),
  await chain('a command that only begins alike', v, keys, { inv: { cmd: '/wasmtime' } }),
  await chain('another subject in between', v, keys, {
    hop: (at) => (at === 1 ? { sub: keys[1].did } : {}),
  }),
  await chain('a delegation to somebody else', v, keys, {
    hop: (at) => (at === 1 ? { aud: keys[0].did } : {}),
  }),
  await chain('an expired invocation', v, keys, { inv: { exp: PAST } })
)

// Pairs of arguments and policies, and what iso-ucan says of them.
const CASES = [
  [{}, ['==', '.x', null]],
  [{}, ['!=', '.x', 1]],
  [{ x: [1] }, ['!=', '.x[9]', 1]],
  [{ x: [1] }, ['==', '.x[9]?', null]],
  [{ x: [] }, ['any', '.x', ['==', '.', 1]]],
  [{ x: [] }, ['all', '.x', ['==', '.', 1]]],
  [{ x: 'Hi' }, ['==', '.x[0]', 'H']],
  [{ a: { 'b-c': 1 } }, ['==', '.a["b-c"]', 1]],
  [{ a: { 'b-c': 1 } }, ['==', '["a"]', 1]],
  [{ n: [{ r: [1, 2] }, { r: [2] }] }, ['all', '.n', ['any', '.r', ['==', '.', 2]]]],
  [{ n: [{ r: [1, 2] }, { r: [1] }] }, ['all', '.n', ['any', '.r', ['==', '.', 2]]]],
  [{ x: 5 }, ['==', '.x', 5]],
  [{ x: 5 }, ['!=', '.x', 5]],
  [{ x: 5 }, ['<', '.x', 5]],
  [{ x: 5 }, ['<=', '.x', 5]],
  [{ x: 5 }, ['>', '.x', 4.5]],
  [{ x: 5 }, ['>=', '.x', 6]],
  [{ x: '5' }, ['>=', '.x', 1]],
  [{ x: 'abc' }, ['like', '.x', 'a*c']],
  [{ x: 'abc' }, ['like', '.x', 'a*d']],
  [{ x: 'a*c' }, ['like', '.x', 'a\\*c']],
  [{ x: 'abc' }, ['like', '.x', 'a\\*c']],
  [{ x: 'a.c' }, ['like', '.x', 'a.c']],
  [{ x: 'abc' }, ['like', '.x', 'a.c']],
  [{ x: 5 }, ['like', '.x', '5']],
  [{ x: 1, y: 2 }, ['and', [['==', '.x', 1], ['==', '.y', 2]]]],
  [{ x: 1, y: 3 }, ['and', [['==', '.x', 1], ['==', '.y', 2]]]],
  [{ x: 1, y: 3 }, ['or', [['==', '.x', 1], ['==', '.y', 2]]]],
  [{}, ['and', []]],
  [{}, ['or', []]],
  [{ x: 1 }, ['not', ['==', '.x', 1]]],
  [{ x: 1 }, ['not', ['==', '.x', 2]]],
  [{ x: [1, 2, 3] }, ['==', '.x[-1]', 3]],
  [{ x: [1, 2, 3] }, ['==', '.x[0:2]', [1, 2]]],
  [{ x: { a: 1, b: 2 } }, ['all', '.x', ['>', '.', 0]]],
  [{ x: { y: { z: 1 } } }, ['==', '.x.y.z', 1]],
  [{ x: { y: 1 } }, ['==', '.x', { y: 1 }]],
]
const holds = (args, policy) => {
  try {
    return validate(args, [policy])
  } catch (error) {
    return `error: ${String(error.message).split('\n')[0]}`
  }
}
const policies = CASES.map(([args, policy]) => ({ args, policy, iso_ucan: holds(args, policy) }))

console.log(
  JSON.stringify({ made_by: 'make-ucan.mjs with iso-ucan 0.5.0 and iso-signatures 0.5.1', chains, policies }, null, 1)
)
