//! May this be done? One question, one answer: an [`Authority`], or which rule is broken where.
//!
//! ```
//! use homestar_core::key::SigningKey;
//! use homestar_core::ucan::invocation::Payload;
//! use homestar_core::ucan::verify::{Request, verify};
//! use homestar_core::ucan::{Invocation, Known, Revoked};
//! use std::collections::BTreeMap;
//!
//! let key = SigningKey::from_seed(&[1; 32]);
//! let payload = Payload::statement(key.did(), "/wasm/run".parse()?, BTreeMap::new());
//! let invocation = Invocation::sign(payload, &key)?;
//!
//! let request = Request {
//!     executor: Some(&key.did()),
//!     now: 1_800_000_000,
//!     leeway: 60,
//!     proofs: &BTreeMap::new(),
//!     revocations: &Revoked::new(),
//! };
//! let authority = verify(invocation.block().bytes(), &request, &mut Known::default())?;
//! assert_eq!(authority.holder(), &key.did());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The order of the checks, of which the first that fails is told: first who asks, by their signature; then what
//! costs little; then the signatures of the chain; policies last. `docs/ucan.md` lists them.

mod error;
#[cfg(test)]
mod tests;

pub use self::error::{Error, Place, Rule};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::command::Command;
use super::delegation;
use super::did::Did;
use super::known::Known;
use super::promise;
use super::revocation::Revocations;
use super::token::Dids;
use super::{Delegation, Invocation};
use crate::ipld::{Block, Cid, Ipld, MAX_BLOCK_BYTES, cid_of_dag_cbor};

/// How many delegations a chain may have.
pub const MAX_PROOFS: usize = 32;
/// How far clocks may be apart, in seconds, where nothing else is said. The specification recommends it.
pub const LEEWAY: i64 = 60;

/// Where delegations are found.
pub trait Proofs {
    /// The bytes that somebody says are of this CID. They are hashed, so nobody need be trusted.
    fn proof(&self, cid: &Cid) -> Option<&[u8]>;
}

impl Proofs for BTreeMap<Cid, Block> {
    fn proof(&self, cid: &Cid) -> Option<&[u8]> {
        self.get(cid).map(Block::bytes)
    }
}

impl Proofs for HashMap<Cid, Block> {
    fn proof(&self, cid: &Cid) -> Option<&[u8]> {
        self.get(cid).map(Block::bytes)
    }
}

/// Who asks whom, when, and what is known beside the tokens.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Whose invocations are to be carried out: those addressed to this principal, or about it and addressed to
    /// nobody. None for all, where one only looks, and for statements that are addressed to nobody.
    pub executor: Option<&'a Did>,
    /// The time, in seconds since 1970. All tokens are judged by this one.
    pub now: i64,
    /// How far clocks may be apart, in seconds.
    pub leeway: i64,
    /// Where delegations are found.
    pub proofs: &'a dyn Proofs,
    /// What was revoked.
    pub revocations: &'a dyn Revocations,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("executor", &self.executor)
            .field("now", &self.now)
            .field("leeway", &self.leeway)
            .finish_non_exhaustive()
    }
}

/// What was proven.
#[derive(Clone, Debug)]
pub struct Authority {
    holder: Did,
    subject: Did,
    command: Command,
    chain: Vec<Arc<Delegation>>,
    not_before: Option<i64>,
    expiration: Option<i64>,
    invocation: Option<Arc<Invocation>>,
}

impl Authority {
    /// Who may.
    pub fn holder(&self) -> &Did {
        &self.holder
    }

    /// About whose resources.
    pub fn subject(&self) -> &Did {
        &self.subject
    }

    /// What: the command that was invoked, or the most special one of the chain.
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// The delegations that lead from the subject to the holder. None if they are one.
    pub fn chain(&self) -> &[Arc<Delegation>] {
        &self.chain
    }

    /// From when, in seconds since 1970.
    pub fn not_before(&self) -> Option<i64> {
        self.not_before
    }

    /// Until when, in seconds since 1970; none for ever.
    pub fn expiration(&self) -> Option<i64> {
        self.expiration
    }

    /// The invocation by which it is used, if it is.
    pub fn invocation(&self) -> Option<&Invocation> {
        self.invocation.as_deref()
    }

    /// Checks that this may be done with these arguments.
    ///
    /// For each thing that is done in the course of a task: what was proven once needn't be proven again while
    /// it lasts, only the arguments are others.
    pub fn allows(
        &self,
        command: &Command,
        arguments: &BTreeMap<String, Ipld>,
    ) -> Result<(), Error> {
        if !self.command.covers(command) {
            let (general, special) = (self.command.clone(), command.clone());
            let rule = Rule::CommandNotCovered { general, special };
            return Err(self.error(Place::Invocation, rule));
        }
        if let Some((branch, task)) = promise::first(arguments) {
            let rule = Rule::WaitingOnPromise { branch, task };
            return Err(self.error(Place::Invocation, rule));
        }
        for (index, hop) in self.chain.iter().enumerate() {
            if let Err(unmet) = hop.payload().policy.check(arguments) {
                return Err(self.error(Place::Proof(index), Rule::MatchError(unmet)));
            }
        }
        Ok(())
    }

    /// Checks that all delegations hold at a time, in seconds since 1970.
    pub fn holds_at(&self, now: i64, leeway: i64) -> Result<(), Error> {
        for (index, hop) in self.chain.iter().enumerate() {
            let (from, until) = (hop.payload().not_before, hop.payload().expiration);
            let rule = match (from, until) {
                (Some(not_before), _) if now.saturating_add(leeway) < not_before => {
                    Rule::TooEarly { not_before, now }
                }
                (_, Some(expiration)) if expiration.saturating_add(leeway) < now => {
                    Rule::Expired { expiration, now }
                }
                _ => continue,
            };
            return Err(self.error(Place::Proof(index), rule));
        }
        Ok(())
    }

    fn error(&self, place: Place, rule: Rule) -> Error {
        Error::new(place, self.chain.len(), rule)
    }
}

/// Checks an invocation, from its bytes.
///
/// Three things are left to who carries it out: that the subject really owns what this is about, that the
/// arguments are those the command takes, and that it wasn't carried out before ([`Seen`](super::Seen)).
pub fn verify(
    invocation: &[u8],
    request: &Request<'_>,
    known: &mut Known,
) -> Result<Authority, Error> {
    let mut dids = Dids::default();
    let invocation = read_invocation(invocation, request, known, &mut dids)?;
    let payload = invocation.token.payload();
    let count = payload.proofs.len();
    let error = |rule| Error::new(Place::Invocation, count, rule);
    if let Some(executor) = request.executor
        && payload.executor() != executor
    {
        return Err(error(Rule::AnotherExecutor {
            executor: *executor,
            addressed: *payload.executor(),
        }));
    }
    if !invocation.checked {
        let signature = invocation.token.check_signature();
        signature.map_err(|_| error(Rule::InvalidSignature))?;
        known.keep_invocation(&invocation.token);
    }
    let chain = read_chain(&payload.proofs, request.proofs, known, &mut dids)?;
    aligned(&chain, &payload.subject, &payload.issuer)?;
    narrowing(&chain, Some(&payload.command))?;
    let (not_before, expiration) = in_time(&chain, Some(payload), request)?;
    not_revoked(&chain, request.revocations)?;
    let chain = signed(chain, known)?;
    let authority = Authority {
        holder: payload.issuer,
        subject: payload.subject,
        command: payload.command.clone(),
        chain,
        not_before,
        expiration,
        invocation: Some(invocation.token.clone()),
    };
    authority.allows(&payload.command, &payload.arguments)?;
    Ok(authority)
}

/// Checks a chain of delegations by itself, root first: what the holder may do about the subject's resources.
///
/// The chain of nobody's delegations holds for the subject alone, who may do everything.
pub fn hold(
    proofs: &[Cid],
    subject: &Did,
    holder: &Did,
    request: &Request<'_>,
    known: &mut Known,
) -> Result<Authority, Error> {
    let chain = read_chain(proofs, request.proofs, known, &mut Dids::default())?;
    aligned(&chain, subject, holder)?;
    narrowing(&chain, None)?;
    let (not_before, expiration) = in_time(&chain, None, request)?;
    not_revoked(&chain, request.revocations)?;
    let chain = signed(chain, known)?;
    let command = match chain.last() {
        Some(last) => last.payload().command.clone(),
        None => Command::top(),
    };
    Ok(Authority {
        holder: *holder,
        subject: *subject,
        command,
        chain,
        not_before,
        expiration,
        invocation: None,
    })
}

/// Reads delegations and checks their signatures, and nothing else.
pub(super) fn delegations(
    cids: &[Cid],
    proofs: &dyn Proofs,
    known: &mut Known,
) -> Result<Vec<Arc<Delegation>>, Error> {
    let chain = read_chain(cids, proofs, known, &mut Dids::default())?;
    signed(chain, known)
}

/// A token, and whether its signature was checked.
struct Read<T> {
    token: Arc<T>,
    checked: bool,
}

type Chain = [Read<Delegation>];

fn read_invocation(
    bytes: &[u8],
    request: &Request<'_>,
    known: &mut Known,
    dids: &mut Dids,
) -> Result<Read<Invocation>, Error> {
    if bytes.len() <= MAX_BLOCK_BYTES
        && let Some(token) = known.invocation(&cid_of_dag_cbor(bytes))
    {
        return Ok(Read {
            token,
            checked: true,
        });
    }
    if let Some(executor) = request.executor {
        dids.know(executor);
    }
    let token = Invocation::decode_unchecked(bytes, dids)
        .map_err(|error| Error::new(Place::Invocation, 0, Rule::Malformed(Box::new(error))))?;
    Ok(Read {
        token: Arc::new(token),
        checked: false,
    })
}

fn read_chain(
    cids: &[Cid],
    proofs: &dyn Proofs,
    known: &mut Known,
    dids: &mut Dids,
) -> Result<Vec<Read<Delegation>>, Error> {
    let count = cids.len();
    if count > MAX_PROOFS {
        return Err(Error::new(Place::Invocation, count, Rule::TooManyProofs));
    }
    let mut chain = Vec::with_capacity(count);
    for (index, cid) in cids.iter().enumerate() {
        let error = |rule| Error::new(Place::Proof(index), count, rule);
        if let Some(token) = known.delegation(cid) {
            chain.push(Read {
                token,
                checked: true,
            });
            continue;
        }
        let unavailable = Rule::UnavailableProof { cid: *cid };
        let bytes = proofs
            .proof(cid)
            .filter(|bytes| bytes.len() <= delegation::MAX_BYTES);
        let bytes = bytes.ok_or_else(|| error(unavailable.clone()))?;
        let token = Delegation::decode_unchecked(bytes, dids)
            .map_err(|cause| error(Rule::Malformed(Box::new(cause))))?;
        if token.cid() != cid {
            return Err(error(unavailable));
        }
        chain.push(Read {
            token: Arc::new(token),
            checked: false,
        });
    }
    Ok(chain)
}

/// Checks that the chain leads from the subject to the holder, link by link.
fn aligned(chain: &Chain, subject: &Did, holder: &Did) -> Result<(), Error> {
    let count = chain.len();
    let error = |place, rule| {
        let reversed = chain.iter().rev().map(|hop| hop.token.payload());
        let in_order = count > 1 && leads(reversed, subject, holder);
        Err(Error::new(place, count, rule).reversed(in_order))
    };
    let Some(root) = chain.first() else {
        if subject == holder {
            return Ok(());
        }
        let (subject, holder) = (*subject, *holder);
        return error(Place::Invocation, Rule::NoProofs { subject, holder });
    };
    if root.token.payload().subject.is_none() {
        return error(Place::Proof(0), Rule::PowerlineRoot);
    }
    for (index, hop) in chain.iter().enumerate() {
        if let Some(found) = hop.token.payload().subject
            && found != *subject
        {
            let rule = Rule::InvalidSubject {
                found,
                expected: *subject,
            };
            return error(Place::Proof(index), rule);
        }
    }
    let issuer = root.token.payload().issuer;
    if issuer != *subject {
        let subject = *subject;
        return error(Place::Proof(0), Rule::RootIssuer { issuer, subject });
    }
    for (index, hop) in chain.iter().enumerate() {
        let next = chain
            .get(index + 1)
            .map_or(*holder, |next| next.token.payload().issuer);
        let audience = hop.token.payload().audience;
        if audience != next {
            return error(
                Place::Proof(index),
                Rule::InvalidAudience { audience, next },
            );
        }
    }
    Ok(())
}

/// True if delegations lead from one to another, whatever else is wrong with them.
fn leads<'a>(
    chain: impl Iterator<Item = &'a delegation::Payload>,
    subject: &Did,
    holder: &Did,
) -> bool {
    let mut at = *subject;
    for hop in chain {
        if hop.issuer != at {
            return false;
        }
        at = hop.audience;
    }
    at == *holder
}

/// Checks that no link gives more than the one before.
fn narrowing(chain: &Chain, invoked: Option<&Command>) -> Result<(), Error> {
    for (index, hop) in chain.iter().enumerate() {
        let general = &hop.token.payload().command;
        let next = chain.get(index + 1);
        let special = next.map_or(invoked, |next| Some(&next.token.payload().command));
        let Some(special) = special else { continue };
        if !general.covers(special) {
            let place = match next {
                Some(_) => Place::Proof(index + 1),
                None => Place::Invocation,
            };
            let (general, special) = (general.clone(), special.clone());
            let rule = Rule::CommandNotCovered { general, special };
            return Err(Error::new(place, chain.len(), rule));
        }
    }
    Ok(())
}

type Window = (Option<i64>, Option<i64>);

/// Checks that all of it holds now, and returns from when until when it does.
fn in_time(
    chain: &Chain,
    invocation: Option<&super::invocation::Payload>,
    request: &Request<'_>,
) -> Result<Window, Error> {
    let hops = chain.iter().enumerate().map(|(index, hop)| {
        let payload = hop.token.payload();
        (Place::Proof(index), payload.not_before, payload.expiration)
    });
    let last =
        invocation.map(|payload| (Place::Invocation, payload.not_before, payload.expiration));
    let (mut from, mut until) = (None, None);
    for (place, not_before, expiration) in hops.chain(last) {
        let now = request.now;
        let error = |rule| Err(Error::new(place, chain.len(), rule));
        if let Some(not_before) = not_before {
            if now.saturating_add(request.leeway) < not_before {
                return error(Rule::TooEarly { not_before, now });
            }
            from = from.max(Some(not_before));
        }
        if let Some(expiration) = expiration {
            if expiration.saturating_add(request.leeway) < now {
                return error(Rule::Expired { expiration, now });
            }
            until = Some(until.map_or(expiration, |until: i64| until.min(expiration)));
        }
        if let (Some(not_before), Some(expiration)) = (from, until)
            && not_before > expiration
        {
            return error(Rule::EmptyWindow {
                not_before,
                expiration,
            });
        }
    }
    Ok((from, until))
}

/// Checks that nobody who may has revoked a link.
fn not_revoked(chain: &Chain, revocations: &dyn Revocations) -> Result<(), Error> {
    for (index, hop) in chain.iter().enumerate() {
        let error = |rule| Error::new(Place::Proof(index), chain.len(), rule);
        for cid in hop.token.cids() {
            let revokers = revocations.revokers(cid);
            let revokers = revokers.map_err(|failed| error(Rule::RevocationsUnknown(failed)))?;
            let may = |by: &&Did| {
                hop.token.payload().audience == **by
                    || chain[..=index]
                        .iter()
                        .any(|before| before.token.payload().issuer == **by)
            };
            if let Some(by) = revokers.iter().find(may) {
                return Err(error(Rule::Revoked { by: *by }));
            }
        }
    }
    Ok(())
}

/// Checks the signatures that weren't checked before.
fn signed(chain: Vec<Read<Delegation>>, known: &mut Known) -> Result<Vec<Arc<Delegation>>, Error> {
    let count = chain.len();
    for (index, hop) in chain.iter().enumerate() {
        if !hop.checked {
            hop.token
                .check_signature()
                .map_err(|_| Error::new(Place::Proof(index), count, Rule::InvalidSignature))?;
            known.keep_delegation(&hop.token);
        }
    }
    Ok(chain.into_iter().map(|hop| hop.token).collect())
}
