//! Receipts that were checked before, read again.
//!
//! Checking a signature takes twenty times as long as all the rest, so a store of ten thousand receipts that were
//! checked on their way in would take half a second to read. What is read here is the same: tests compare.

use super::{Body, Meta, Receipt, ReceiptError};
use crate::ipld::{Block, Cid, Link};
use crate::outcome::Outcome;
use crate::ucan::Did;
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
    fuel: u64,
    memory_peak: u64,
    engine: String,
}

impl Receipt {
    /// Reads a receipt that was checked before, without checking its signature again: one that comes out of one's own
    /// store. Bytes of anybody else go through [`Receipt::decode`].
    ///
    /// `like` is an issuer that was read before: if this one is the same, it needn't be read, which takes as long as all
    /// the rest.
    pub fn reread(block: Block, like: Option<&Did>) -> Result<Self, ReceiptError> {
        let Ok(Token(_, Signed { payload })) = serde_ipld_dagcbor::from_slice(block.bytes()) else {
            // It has more to say of what is wrong.
            return Self::decode(block.bytes());
        };
        let issuer = match like {
            Some(like) if like.is_written(payload.iss) => *like,
            _ => match payload.iss.parse() {
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
                fuel: meta.fuel,
                memory_peak: meta.memory_peak,
                engine: meta.engine,
            },
        };
        Ok(Self {
            body,
            issuer,
            block,
        })
    }
}
