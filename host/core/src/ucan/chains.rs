//! Chains of delegations, put together from many.

use super::Delegation;
use super::did::Did;
use super::verify::MAX_PROOFS;

/// Most steps that one search takes: tokens come from anywhere, and may be knotted on purpose.
const STEPS_MAX: usize = 10_000;

/// For each of the delegations to `holder` a chain that leads to it from the subject's own, which comes first. What hangs
/// in the air is left out.
///
/// Whether a chain holds is not looked at: [`hold`](super::verify::hold) does that.
pub fn chains_to<'a>(delegations: &'a [Delegation], holder: &Did) -> Vec<Vec<&'a Delegation>> {
    let mut steps = STEPS_MAX;
    let to_holder = delegations
        .iter()
        .filter(|last| last.payload().audience == *holder);
    let chains = to_holder.filter_map(|last| {
        let mut chain = vec![last];
        climb(delegations, &mut chain, &mut steps).then(|| {
            chain.reverse();
            chain
        })
    });
    chains.collect()
}

/// Goes on upwards from the last of `chain` until one is issued by whom the chain is about.
fn climb<'a>(
    delegations: &'a [Delegation],
    chain: &mut Vec<&'a Delegation>,
    steps: &mut usize,
) -> bool {
    let Some(top) = chain.last().map(|top| top.payload()) else {
        return false;
    };
    if top.subject == Some(top.issuer) {
        return true;
    }
    let subject = chain.iter().find_map(|hop| hop.payload().subject);
    for above in delegations {
        let fits = above.payload().audience == top.issuer
            && above.payload().command.covers(&top.command)
            && (above.payload().subject.is_none()
                || subject.is_none()
                || above.payload().subject == subject);
        let is_new = !chain.iter().any(|hop| hop.cid() == above.cid());
        if !fits || !is_new || chain.len() >= MAX_PROOFS || *steps == 0 {
            continue;
        }
        *steps -= 1;
        chain.push(above);
        if climb(delegations, chain, steps) {
            return true;
        }
        chain.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use crate::ucan::{Policy, delegation};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn link(from: u8, to: u8, subject: Option<u8>, command: &str) -> Delegation {
        let payload = delegation::Payload {
            issuer: key(from).did(),
            audience: key(to).did(),
            subject: subject.map(|subject| key(subject).did()),
            command: command.parse().expect("a command"),
            policy: Policy::parse("[]").expect("a policy"),
            nonce: vec![1],
            meta: None,
            not_before: None,
            expiration: None,
        };
        Delegation::sign(payload, &key(from)).expect("signs")
    }

    fn found(links: &[Delegation], holder: u8) -> Vec<Vec<usize>> {
        let at = |hop: &&Delegation| links.iter().position(|link| link.cid() == hop.cid());
        let chains = chains_to(links, &key(holder).did()).into_iter();
        chains
            .map(|chain| chain.iter().filter_map(at).collect())
            .collect()
    }

    #[test]
    fn each_delegation_has_the_chain_that_leads_to_it() {
        let links = [
            link(2, 3, Some(1), "/https/get"),
            link(1, 2, Some(1), "/https"),
            link(1, 3, Some(1), "/wasm/run"),
            // About somebody else, beyond what was given, and in the air.
            link(2, 3, Some(4), "/https"),
            link(2, 3, Some(1), "/dns"),
            link(5, 3, Some(1), "/wasm"),
        ];
        assert_eq!(found(&links, 3), [vec![1, 0], vec![2]]);
        assert_eq!(found(&links, 2), [vec![1]]);
        assert_eq!(found(&links, 1), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_powerline_passes_on_what_comes_by_it() {
        let links = [link(2, 3, None, "/"), link(1, 2, Some(1), "/")];
        assert_eq!(found(&links, 3), [vec![1, 0]]);
    }

    #[test]
    fn knots_end() {
        let mut links = Vec::new();
        for from in 2..20 {
            for to in 2..20 {
                links.push(link(from, to, Some(1), "/"));
            }
        }
        assert_eq!(found(&links, 3), Vec::<Vec<usize>>::new());
    }
}
