// Judges chains of tokens with iso-ucan. On standard input is a list of `{proofs, invocation}` in DAG-JSON; for each,
// a line says what came of it.
import * as json from '@ipld/dag-json'
import { Delegation } from 'iso-ucan/delegation'
import { Invocation } from 'iso-ucan/invocation'
import * as ECDSA from 'iso-signatures/verifiers/ecdsa.js'
import * as EdDSA from 'iso-signatures/verifiers/eddsa.js'
import { Resolver } from 'iso-signatures/verifiers/resolver.js'
import { readFileSync } from 'node:fs'

const verifierResolver = new Resolver({ ...EdDSA.verifier, ...ECDSA.verifier })

for (const { proofs, invocation } of json.decode(readFileSync(0))) {
  let says = 'ok'
  try {
    const delegations = new Map()
    for (const bytes of proofs) {
      const delegation = await Delegation.from({ bytes, verifierResolver })
      delegations.set(delegation.cid.toString(), delegation)
    }
    const resolveProof = async (cid) => delegations.get(cid.toString())
    await Invocation.from({ bytes: invocation, verifierResolver, resolveProof })
  } catch (error) {
    says = String(error.message).split('\n')[0]
  }
  console.log(says)
}
