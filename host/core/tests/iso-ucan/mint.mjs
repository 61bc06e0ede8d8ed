// Mints chains of tokens with iso-ucan, by keys of all types that are new each time. Writes a list of
// `{holds, proofs, invocation}` in DAG-JSON; `holds` says whether the conditions are met.
import * as json from '@ipld/dag-json'
import * as Envelope from 'iso-ucan/envelope'
import { Delegation } from 'iso-ucan/delegation'
import { ECDSASigner } from 'iso-signatures/signers/ecdsa.js'
import { EdDSASigner } from 'iso-signatures/signers/eddsa.js'
import { ES256KSigner } from 'iso-signatures/signers/es256k.js'
import * as ECDSA from 'iso-signatures/verifiers/ecdsa.js'
import * as EdDSA from 'iso-signatures/verifiers/eddsa.js'
import { Resolver } from 'iso-signatures/verifiers/resolver.js'

const verifierResolver = new Resolver({ ...EdDSA.verifier, ...ECDSA.verifier })
const types = [() => EdDSASigner.generate(), () => ECDSASigner.generate('P-256'), () => ES256KSigner.generate()]
const exp = Math.floor(Date.now() / 1000) + 3600
const nonce = () => crypto.getRandomValues(new Uint8Array(12))
const mint = async (spec, version, signer, payload) =>
  Envelope.encode(await Envelope.sign({ spec, version, signer, payload }))

const chain = async (version, keys, holds) => {
  const [sub] = keys.map((key) => key.did)
  const proofs = []
  const prf = []
  for (let at = 0; at + 1 < keys.length; at++) {
    const pol = [['<=', '.fuel', 100], ['like', '.func', 'a*']]
    const payload = { iss: keys[at].did, aud: keys[at + 1].did, sub, cmd: '/wasm', pol, nonce: nonce(), exp }
    const bytes = await mint('dlg', version, keys[at], payload)
    proofs.push(bytes)
    prf.push((await Delegation.from({ bytes, verifierResolver })).cid)
  }
  const last = keys.at(-1)
  const args = { component: prf[0], func: 'add', args: [1, 2], fuel: holds ? 100 : 101 }
  const payload = { iss: last.did, sub, cmd: '/wasm/run', args, prf, nonce: nonce(), exp }
  return { holds, proofs, invocation: await mint('inv', version, last, payload) }
}

const chains = []
for (const version of ['1.0.0', '1.0.0-rc.1']) {
  for (const one of types) {
    for (const other of types) {
      for (const holds of [true, false]) {
        chains.push(await chain(version, await Promise.all([one(), other(), one()]), holds))
      }
    }
  }
}
process.stdout.write(json.encode(chains))
