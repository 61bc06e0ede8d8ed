//! Delegations taken back: invocations of `/ucan/revoke`.
//!
//! Who issued a delegation, or one before it in the chain that is used, may take it back; so may who was given
//! it. Who stands further down may not. A revocation can't be taken back itself.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use super::delegation::Delegation;
use super::did::Did;
use super::invocation::{Invocation, Payload};
use super::known::Known;
use super::verify::{Authority, MAX_PROOFS, Proofs, delegations};
use crate::ipld::{Cid, FieldError, Fields, Ipld};

/// The command of every revocation.
pub const COMMAND: &str = "/ucan/revoke";

/// Says who has revoked what.
pub trait Revocations {
    /// All who have revoked a delegation, whether or not they may.
    fn revokers(&self, delegation: &Cid) -> Result<Cow<'_, [Did]>, LookupFailed>;
}

/// It isn't known whether something is revoked, and so nothing is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("can't find out whether it is revoked: {0}")]
pub struct LookupFailed(pub String);

/// Revocations in memory.
#[derive(Clone, Debug, Default)]
pub struct Revoked(HashMap<Cid, Vec<Did>>);

impl Revoked {
    /// With none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a revocation. It may come before the delegation that it is about. False if it was noted.
    pub fn insert(&mut self, revocation: &Revocation) -> bool {
        let revokers = self.0.entry(revocation.target).or_default();
        let is_new = !revokers.contains(&revocation.by);
        if is_new {
            revokers.push(revocation.by);
        }
        is_new
    }

    /// Forgets what is known of a delegation: one that has expired.
    pub fn forget(&mut self, delegation: &Cid) {
        self.0.remove(delegation);
    }
}

impl Revocations for Revoked {
    fn revokers(&self, delegation: &Cid) -> Result<Cow<'_, [Did]>, LookupFailed> {
        let revokers = self.0.get(delegation).map_or(&[][..], Vec::as_slice);
        Ok(Cow::Borrowed(revokers))
    }
}

/// A delegation taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What is taken back.
    pub target: Cid,
    /// A chain in which both the target and a delegation of who revokes are.
    pub path: Vec<Cid>,
    /// Who revokes: the subject of the invocation, which others may be let to act for.
    pub by: Did,
}

impl Revocation {
    /// Takes back a delegation that `by` gave, was given, or that rests on one that `by` gave. None if `by` has no say, as
    /// far as `delegations` tell; the target is one of them.
    ///
    /// The path is the shortest that they have.
    pub fn new(target: &Cid, by: Did, delegations: &[Delegation]) -> Option<Self> {
        let is_target = |it: &&Delegation| it.cids().any(|cid| cid == target);
        let last = delegations.iter().find(is_target)?;
        let path = if last.payload().audience == by {
            vec![last]
        } else {
            path(last, &by, delegations)?
        };
        Some(Self {
            target: *target,
            path: path.into_iter().map(|it| *it.cid()).collect(),
            by,
        })
    }

    /// The invocation that says so. It is for its issuer to sign.
    pub fn to_payload(&self) -> Payload {
        let path = self.path.iter().copied().map(Ipld::Link).collect();
        let arguments = BTreeMap::from([
            ("rev".to_owned(), Ipld::Link(self.target)),
            ("pth".to_owned(), Ipld::List(path)),
        ]);
        let command = COMMAND.parse().expect("a command");
        Payload::statement(self.by, command, arguments)
    }

    /// Reads a revocation from an invocation that was verified.
    ///
    /// The drafts of the specification have two names for each argument; both are read.
    pub fn of(authority: &Authority) -> Result<Self, RevocationError> {
        let invocation = authority.invocation().ok_or(RevocationError::Command)?;
        Self::read(invocation)
    }

    /// Reads what an invocation would revoke, if its issuer may: to show it, or since that was checked before.
    pub fn read(invocation: &Invocation) -> Result<Self, RevocationError> {
        let payload = invocation.payload();
        if payload.command.as_str() != COMMAND {
            return Err(RevocationError::Command);
        }
        let mut fields = Fields::of("args", Ipld::Map(payload.arguments.clone()))?;
        let (target, path) = if fields.has("revoke") {
            ("revoke", "path")
        } else {
            ("rev", "pth")
        };
        let target = fields.link(target)?;
        let path = fields.if_present(path, Fields::links)?.unwrap_or_default();
        fields.end()?;
        if path.len() > MAX_PROOFS {
            return Err(RevocationError::Long);
        }
        Ok(Self {
            target,
            path,
            by: payload.subject,
        })
    }

    /// Checks that who revokes has a say: that the path is a chain of signed delegations with the target in it,
    /// and one at or before that is of who revokes, or the target for them.
    ///
    /// Whether a revocation counts is asked for each chain that it could count for, so this isn't needed for
    /// that. It keeps others from filling one's store with revocations of what has nothing to do with them.
    pub fn check_path(
        &self,
        proofs: &dyn Proofs,
        known: &mut Known,
    ) -> Result<(), RevocationError> {
        let chain = delegations(&self.path, proofs, known).map_err(|_| RevocationError::Path)?;
        let aligned = chain
            .windows(2)
            .all(|pair| pair[0].payload().audience == pair[1].payload().issuer);
        let target = chain
            .iter()
            .position(|hop| hop.cids().any(|cid| *cid == self.target));
        let (true, Some(target)) = (aligned, target) else {
            return Err(RevocationError::Path);
        };
        let issued = chain[..=target]
            .iter()
            .any(|hop| hop.payload().issuer == self.by);
        if issued || chain[target].payload().audience == self.by {
            Ok(())
        } else {
            Err(RevocationError::Path)
        }
    }
}

/// The shortest chain from a delegation that `by` issued to `last`. Breadth first, from its end.
fn path<'a>(
    last: &'a Delegation,
    by: &Did,
    delegations: &'a [Delegation],
) -> Option<Vec<&'a Delegation>> {
    // Each with where the one stands that it was found from: the next of the chain.
    let mut found = vec![(last, None)];
    let mut at = 0;
    while let Some((one, next)) = found.get(at).copied() {
        if one.payload().issuer == *by {
            let mut path = vec![one];
            let mut next = next;
            while let Some(index) = next {
                let (one, after): (&Delegation, Option<usize>) = found[index];
                path.push(one);
                next = after;
            }
            return (path.len() <= MAX_PROOFS).then_some(path);
        }
        for before in delegations {
            let leads = before.payload().audience == one.payload().issuer;
            if leads && !found.iter().any(|(it, _)| it.cid() == before.cid()) {
                found.push((before, Some(at)));
            }
        }
        at += 1;
    }
    None
}

/// Why something is not a revocation to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// Not an invocation, or one of another command.
    #[error("a revocation is an invocation of {COMMAND}")]
    Command,
    /// An argument is missing, unknown or of another kind.
    #[error(transparent)]
    Arguments(#[from] FieldError),
    /// The path is longer than any chain.
    #[error("a revocation's path has at most {MAX_PROOFS} delegations")]
    Long,
    /// The path doesn't show that who revokes has a say.
    #[error("a revocation's path shows no delegation at or before its target by who revokes")]
    Path,
}
