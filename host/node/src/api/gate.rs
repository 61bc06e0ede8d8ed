//! Whose request is answered: who shows an invocation that asks for just that, of this node, and hasn't been used.
//!
//! ```text
//! Authorization: Bearer CONTAINER ─→ one invocation and what it rests on ─→ ucan::verify
//!                                        └─ args {method, path, body} ─→ the request, and no other
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use homestar_core::ipld::{Cid, Ipld, cid_of_raw};
use homestar_core::ucan::verify::LEEWAY;
use homestar_core::ucan::{Container, Did, Invocation, Known, Replay, Request, Seen, verify};
use homestar_net::Rates;
use homestar_store::Store;

use super::fault::Fault;
use crate::Tokens;
use crate::seen::{self, AcceptError};

/// For how long a token may hold, in seconds: it is made for the request that it comes with.
pub(crate) const EXPIRES_MAX: i64 = 300;
/// Bytes of a token, as text. A chain of a dozen delegations takes half of it.
const TOKEN_BYTES_MAX: usize = 12 << 10;
/// Tokens that are remembered until they expire.
const SEEN_MAX: usize = 100_000;
/// Requests a second of one signer.
const REQUESTS_PER_SECOND: u32 = 50;
/// Requests that may come at once after a pause.
const REQUESTS_AT_ONCE: u32 = 100;
/// Signers that are remembered.
const SIGNERS_MAX: usize = 4_096;

/// What a token has to be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) command: &'a str,
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    /// Whether the request changes something. That it was made is kept in the store then.
    pub(crate) changes: bool,
}

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    pub(crate) by: Did,
    /// The body of the request.
    pub(crate) body: Cid,
}

/// Looks at tokens.
pub(crate) struct Gate {
    own: Did,
    store: Arc<dyn Store>,
    known: Mutex<Known>,
    seen: Mutex<Seen>,
    rates: Mutex<Rates<Did>>,
}

impl Gate {
    /// For requests to `own`. Delegations that needn't be sent, and what was revoked, are in `store`.
    pub(crate) fn new(own: Did, store: Arc<dyn Store>) -> Self {
        Self {
            own,
            store,
            known: Mutex::default(),
            seen: Mutex::new(Seen::new(SEEN_MAX)),
            rates: Mutex::new(Rates::new(
                REQUESTS_PER_SECOND,
                REQUESTS_AT_ONCE,
                SIGNERS_MAX,
            )),
        }
    }

    /// Whose node it is.
    pub(crate) fn own(&self) -> &Did {
        &self.own
    }

    /// Lets a request be made at the time `now`, in seconds since 1970, or says why not. A token does so once. How much its
    /// signer asks is counted by `at`.
    pub(crate) fn open(
        &self,
        token: &str,
        wanted: &Wanted<'_>,
        now: i64,
        at: Instant,
    ) -> Result<Leave, Fault> {
        if token.len() > TOKEN_BYTES_MAX {
            let words = format!("a token has at most {TOKEN_BYTES_MAX} bytes");
            return Err(denied(words));
        }
        let container = Container::decode(token.as_bytes());
        let container = container.map_err(|error| denied(format!("this is no token: {error}")))?;
        let invocation = only(&container)?;
        let tokens = Tokens::new(&*self.store);
        let kept = tokens.proofs(&invocation.payload().proofs);
        let mut proofs = kept.map_err(Fault::host)?;
        let sent = container.tokens().iter();
        proofs.extend(sent.map(|block| (*block.cid(), block.clone())));
        let request = Request {
            executor: Some(&self.own),
            now,
            leeway: LEEWAY,
            proofs: &proofs,
            revocations: &tokens,
        };
        let authority = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            verify(invocation.block().bytes(), &request, &mut known)
        };
        let authority = authority.map_err(|error| denied(format!("{}: {error}", error.name())))?;
        if *authority.subject() != self.own {
            let words = format!(
                "it asks for what is {}'s, and this node is {}",
                authority.subject(),
                self.own
            );
            return Err(denied(words));
        }
        let body = asked(&invocation, wanted)?;
        holds_shortly(&invocation, now)?;
        let by = *authority.holder();
        let is_let = {
            let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            rates.take(by, at)
        };
        if !is_let {
            return Err(Fault::denied("too many requests").status(429));
        }
        self.accept(&invocation, wanted.changes, now)?;
        Ok(Leave { by, body })
    }

    /// Notes that a token was used. What changes something is noted durably: a token is good for it once, and not once more
    /// when the node was started anew.
    fn accept(&self, invocation: &Invocation, changes: bool, now: i64) -> Result<(), Fault> {
        let seen = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.accept(invocation, now, LEEWAY)
        };
        seen.map_err(used)?;
        if !changes {
            return Ok(());
        }
        seen::accept(&*self.store, invocation, now, LEEWAY).map_err(|error| match error {
            AcceptError::Replay(replay) => used(replay),
            AcceptError::Store(error) => Fault::host(error),
        })
    }
}

fn used(replay: Replay) -> Fault {
    match replay {
        Replay::Full { .. } => Fault::busy(replay.to_string()),
        replay => denied(format!("Replay: {replay}")),
    }
}

fn denied(words: String) -> Fault {
    Fault::denied(words)
}

/// Returns the only invocation of a container.
fn only(container: &Container) -> Result<Invocation, Fault> {
    let contents = container.contents();
    if let Some((cid, error)) = contents.broken.into_iter().next() {
        return Err(denied(format!("the token {cid} is broken: {error}")));
    }
    let mut invocations = contents.invocations.into_iter();
    match (invocations.next(), invocations.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(denied("there is no invocation in it".to_owned())),
        (Some(_), Some(_)) => Err(denied("there are several invocations in it".to_owned())),
    }
}

/// Checks that an invocation asks for what is wanted, and returns the body that it asks for.
fn asked(invocation: &Invocation, wanted: &Wanted<'_>) -> Result<Cid, Fault> {
    let payload = invocation.payload();
    if payload.command.as_str() != wanted.command {
        let words = format!(
            "it asks for {}, and this is {}",
            payload.command, wanted.command
        );
        return Err(denied(words));
    }
    let arguments = &payload.arguments;
    let says = |name: &str, value: &str| matches!(arguments.get(name), Some(Ipld::String(it)) if it == value);
    if !says("method", wanted.method) || !says("path", wanted.target) {
        let words = format!(
            "it is for another request than {} {}",
            wanted.method, wanted.target
        );
        return Err(denied(words));
    }
    let body = match arguments.get("body") {
        None => cid_of_raw(b""),
        Some(Ipld::Link(cid)) => *cid,
        Some(_) => return Err(denied("`body` among its arguments is no link".to_owned())),
    };
    match arguments_are_known(arguments) {
        true => Ok(body),
        false => Err(denied(
            "its arguments are `method`, `path` and `body`, and no others".to_owned(),
        )),
    }
}

fn arguments_are_known(arguments: &BTreeMap<String, Ipld>) -> bool {
    let known = ["body", "method", "path"];
    arguments.keys().all(|name| known.contains(&name.as_str()))
}

/// Checks that an invocation can be remembered until it ends: it has to be one of its own, and for a short time.
fn holds_shortly(invocation: &Invocation, now: i64) -> Result<(), Fault> {
    let payload = invocation.payload();
    if payload.nonce.is_empty() {
        return Err(denied(
            "it has no nonce, so it could be used again".to_owned(),
        ));
    }
    let end = payload.expiration;
    let is_short = end.is_some_and(|end| end <= now.saturating_add(EXPIRES_MAX + LEEWAY));
    match is_short {
        true => Ok(()),
        false => Err(denied(format!(
            "it has to expire within {EXPIRES_MAX} seconds"
        ))),
    }
}

#[cfg(test)]
mod tests;
