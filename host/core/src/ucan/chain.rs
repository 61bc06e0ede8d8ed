//! Finding what somebody rests on, among delegations.

use std::collections::HashSet;

use super::command::Command;
use super::did::Did;
use super::verify::MAX_PROOFS;
use super::{Delegation, delegation};
use crate::ipld::Cid;

/// What a chain is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Who rests on it.
    pub holder: &'a Did,
    /// What for.
    pub command: &'a Command,
    /// The delegation that it ends with; none for any.
    pub last: Option<&'a Cid>,
    /// When it is used, in seconds since 1970.
    pub now: i64,
}

/// Finds the shortest chain that leads from the owner of something to who wants to use it, root first.
///
/// Every link is given by whom the one before was given to, gives no more than that one, covers the command, is about the
/// same subject, and holds at that time. Conditions aren't looked at, since they are about arguments, and neither is what was revoked.
pub fn find<'a>(delegations: &'a [Delegation], wanted: &Wanted<'_>) -> Option<Vec<&'a Delegation>> {
    let fits = |it: &&Delegation| {
        let payload = it.payload();
        payload.command.covers(wanted.command) && holds(payload, wanted.now)
    };
    let is_last = |it: &&Delegation| {
        let is_named = wanted
            .last
            .is_none_or(|cid| it.cids().any(|own| own == cid));
        it.payload().audience == *wanted.holder && is_named
    };
    let usable: Vec<_> = delegations.iter().filter(fits).collect();
    let mut links: Vec<Link<'a>> = usable
        .iter()
        .copied()
        .filter(is_last)
        .map(|last| Link::new(last, None, None))
        .collect();
    let mut seen: HashSet<(Cid, Option<Did>)> = links.iter().map(Link::place).collect();
    let mut at = 0;
    while let Some(link) = links.get(at).copied() {
        let payload = link.delegation.payload();
        if payload.subject == Some(payload.issuer) && link.subject == payload.subject {
            return Some(chain(&links, at));
        }
        if link.depth < MAX_PROOFS {
            for before in &usable {
                let (subject, narrows) = {
                    let before = before.payload();
                    let narrows = before.command.covers(&payload.command);
                    (before.subject, narrows && before.audience == payload.issuer)
                };
                let is_about =
                    subject.is_none() || link.subject.is_none() || subject == link.subject;
                if !narrows || !is_about {
                    continue;
                }
                let next = Link::new(before, Some((at, link.depth)), link.subject);
                if seen.insert(next.place()) {
                    links.push(next);
                }
            }
        }
        at += 1;
    }
    None
}

/// A link that was found, with where the next one of its chain stands.
#[derive(Clone, Copy)]
struct Link<'a> {
    delegation: &'a Delegation,
    next: Option<usize>,
    /// What the chain is about, as far as its end says.
    subject: Option<Did>,
    depth: usize,
}

impl<'a> Link<'a> {
    fn new(delegation: &'a Delegation, next: Option<(usize, usize)>, about: Option<Did>) -> Self {
        Self {
            delegation,
            next: next.map(|(at, _)| at),
            subject: about.or(delegation.payload().subject),
            depth: next.map_or(1, |(_, depth)| depth + 1),
        }
    }

    fn place(&self) -> (Cid, Option<Did>) {
        (*self.delegation.cid(), self.subject)
    }
}

fn chain<'a>(links: &[Link<'a>], from: usize) -> Vec<&'a Delegation> {
    let mut chain = Vec::new();
    let mut at = Some(from);
    while let Some(link) = at.map(|at| links[at]) {
        chain.push(link.delegation);
        at = link.next;
    }
    chain
}

fn holds(payload: &delegation::Payload, now: i64) -> bool {
    payload.not_before.is_none_or(|from| from <= now)
        && payload.expiration.is_none_or(|until| now <= until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;
    use crate::ucan::Policy;
    use crate::ucan::delegation::Payload;

    const NOW: i64 = 1_800_000_000;

    fn key(number: u8) -> SigningKey {
        SigningKey::from_seed(&[number; 32])
    }

    /// From one to another, about a third's, or nobody's.
    fn given(from: u8, to: u8, about: Option<u8>, command: &str) -> Delegation {
        until(from, to, about, command, None)
    }

    fn until(from: u8, to: u8, about: Option<u8>, command: &str, end: Option<i64>) -> Delegation {
        let payload = Payload {
            issuer: key(from).did(),
            audience: key(to).did(),
            subject: about.map(|about| key(about).did()),
            command: command.parse().expect("a command"),
            policy: Policy::default(),
            nonce: vec![],
            meta: None,
            not_before: None,
            expiration: end,
        };
        Delegation::sign(payload, &key(from)).expect("signs")
    }

    fn found(delegations: &[Delegation], holder: u8, last: Option<usize>) -> Option<Vec<usize>> {
        let wanted = Wanted {
            holder: &key(holder).did(),
            command: &"/a/b".parse().expect("a command"),
            last: last.map(|at| delegations[at].cid()),
            now: NOW,
        };
        let place = |it: &Delegation| delegations.iter().position(|other| other == it);
        let chain = find(delegations, &wanted)?;
        Some(
            chain
                .into_iter()
                .map(|it| place(it).expect("one of them"))
                .collect(),
        )
    }

    #[test]
    fn the_shortest_chain_from_the_owner_is_found() {
        let all = [
            given(3, 4, Some(1), "/a"),
            given(2, 3, Some(1), "/a"),
            given(1, 2, Some(1), "/"),
            given(1, 3, Some(1), "/a"),
        ];
        assert_eq!(found(&all, 4, None), Some(vec![3, 0]));
        assert_eq!(found(&all[..3], 4, None), Some(vec![2, 1, 0]));
        assert_eq!(found(&all, 3, Some(1)), Some(vec![2, 1]));
        assert_eq!(found(&all, 5, None), None);
        // Without its root it leads nowhere.
        assert_eq!(found(&all[..2], 4, None), None);
    }

    #[test]
    fn what_does_not_fit_is_passed_over() {
        for (one, fits) in [
            (until(1, 2, Some(1), "/a", Some(NOW)), true),
            (until(1, 2, Some(1), "/a", Some(NOW - 1)), false),
            (given(1, 2, Some(1), "/a/b/c"), false),
            (given(1, 2, Some(3), "/a"), false),
            // A powerline begins nothing.
            (given(1, 2, None, "/a"), false),
        ] {
            assert_eq!(found(&[one], 2, None).is_some(), fits);
        }
    }

    #[test]
    fn powerlines_pass_on_what_there_is_to_be_passed_on() {
        let all = [
            given(2, 3, None, "/a/b"),
            given(1, 2, Some(1), "/a"),
            given(4, 2, Some(1), "/a"),
        ];
        assert_eq!(found(&all, 3, None), Some(vec![1, 0]));
        // Nobody passes on more than they have.
        let all = [given(2, 3, None, "/"), given(1, 2, Some(1), "/a")];
        assert_eq!(found(&all, 3, None), None);
        // About what 5 owns, nobody gave 2 anything.
        let all = [
            given(3, 4, Some(5), "/"),
            given(2, 3, None, "/"),
            given(1, 2, Some(1), "/"),
        ];
        assert_eq!(found(&all, 4, None), None);
    }

    #[test]
    fn circles_and_long_ways_have_an_end() {
        let circle = [given(1, 2, Some(9), "/a"), given(2, 1, Some(9), "/a")];
        assert_eq!(found(&circle, 2, None), None);
        let long: Vec<_> = (1..=33)
            .map(|from| given(from, from + 1, Some(1), "/a"))
            .collect();
        assert_eq!(found(&long[..32], 33, None).map(|it| it.len()), Some(32));
        assert_eq!(found(&long, 34, None), None);
    }
}
