//! Receipts that were checked before, read again.
//!
//! Checking a signature takes twenty times as long as all the rest, so a store of ten thousand receipts that were
//! checked on their way in would take half a second to read. What is read here is the same: tests compare.

use super::{Body, Meta, Receipt, ReceiptError};
use crate::ipld::{Block, Cid, Link};
use crate::outcome::Outcome;
use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
struct Token<'a>(IgnoredAny, #[serde(borrow)] Signed<'a>);

#[derive(Deserialize)]
struct Signed<'a> {
    #[serde(borrow, rename = "ucan/inv@1.0.0", alias = "ucan/inv@1.0.0-rc.1")]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    iss: &'a str,
    args: Arguments,
    meta: KnownMeta,
}

#[derive(Deserialize)]
struct Arguments {
    ran: Cid,
    out: Outcome,
    run: Vec<Cid>,
}

#[derive(Deserialize)]
struct KnownMeta {
    component: Cid,
    func: String,
    effects: Vec<Cid>,
    trace: Option<Cid>,
    invocation: Option<Cid>,
    fuel: u64,
    memory_peak: u64,
    engine: String,
}

impl Receipt {
    /// Reads a receipt that was checked before, without checking its signature again: one that comes out of one's own
    /// store. Bytes of anybody else go through [`Receipt::decode`].
    ///
    /// `before` is a receipt that was read before: if this one has the same issuer, that needn't be read again, which
    /// takes longer than all the rest.
    pub fn reread(block: Block, before: Option<&Self>) -> Result<Self, ReceiptError> {
        let Ok(Token(_, Signed { payload })) = serde_ipld_dagcbor::from_slice(block.bytes()) else {
            // It has more to say of what is wrong.
            return Self::decode(block.bytes());
        };
        let like = before.filter(|before| begins_alike(before, &block, payload.iss));
        let issuer = match like {
            Some(like) => *like.issuer(),
            None => match payload.iss.parse() {
                Ok(issuer) => issuer,
                Err(_) => return Self::decode(block.bytes()),
            },
        };
        let meta = payload.meta;
        let body = Body {
            ran: Link::new(payload.args.ran),
            outcome: payload.args.out,
            run: payload.args.run.into_iter().map(Link::new).collect(),
            meta: Meta {
                component: meta.component,
                func: meta.func,
                effects: meta.effects,
                trace: meta.trace,
                invocation: meta.invocation,
                fuel: meta.fuel,
                memory_peak: meta.memory_peak,
                engine: meta.engine,
            },
        };
        Ok(Self::new(body, issuer, block))
    }
}

/// True if a receipt has the same bytes as a block from behind the signature up to the end of `issuer`, which is a part
/// of the block. The issuer comes before all that has another length in another receipt, so receipts of one issuer
/// begin alike, and those that begin alike are of one issuer.
fn begins_alike(before: &Receipt, block: &Block, issuer: &str) -> bool {
    let bytes = block.bytes();
    let begin = issuer.as_ptr().addr().checked_sub(bytes.as_ptr().addr());
    let end = begin.map_or(0, |begin| begin + issuer.len());
    let both = [before.block().bytes(), bytes].map(|bytes| bytes.get(SIGNED_AT..end));
    both[0].is_some()
        && both[0] == both[1]
        && before.block().bytes()[..HEAD.len()] == HEAD
        && bytes[..HEAD.len()] == HEAD
}

/// What a token begins with whose signature has 64 bytes: it is a list of two, and bytes come first.
const HEAD: [u8; 3] = [0x82, 0x58, 64];

/// Where what is signed begins in such a token.
const SIGNED_AT: usize = HEAD.len() + 64;
