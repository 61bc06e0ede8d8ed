//! A node of a simulated network: what it has, what it wants, and what outlives a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use homestar_core::ipld::{Cid, cid_of_raw};
use homestar_core::market::{
    Ask, Executor, ExecutorSettings, House, Judge, Offer, Requester, RequesterInput,
    RequesterSettings, Said, Unrun, Unwilling,
};
use homestar_core::schedule::Timestamp;
use homestar_core::ucan::Did;
use sha2::{Digest, Sha256};

use super::faults::Liar;
use super::numbers::Numbers;

/// A task that a node wants to have run.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) offer: Offer,
    /// How long it takes whoever runs it.
    pub(super) takes: Duration,
    pub(super) at: u64,
    pub(super) end: Option<End>,
    pub(super) ended_at: u64,
}

/// How it ended for who wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered,
    Unrun(Unrun),
    /// It was called back.
    Recalled,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) did: Did,
    pub(super) requester: Requester<Shared>,
    pub(super) executor: Option<Executor<Owner>>,
    pub(super) liar: Option<Liar>,
    pub(super) is_up: bool,
    /// Which life it is in.
    pub(super) life: u64,
    /// Its clock runs by so many millionths faster.
    pub(super) skew: i64,
    pub(super) offset: u64,
    pub(super) wakes_at: Option<u64>,
    pub(super) is_cut_off: bool,
    // What outlives a crash.
    pub(super) wishes: BTreeMap<u64, Wish>,
    /// To whom tasks were given that reach the outside.
    pub(super) given: BTreeMap<Cid, (Did, u64)>,
    /// What reaches the outside and was begun here.
    pub(super) begun: BTreeSet<Cid>,
}

impl Node {
    /// What its clock says, which doesn't go back when it crashes.
    pub(super) fn local(&self, now: u64) -> Timestamp {
        let skewed = now as i64 + now as i64 * self.skew / 1_000_000;
        Timestamp(self.offset + skewed as u64)
    }

    /// When its clock will say that.
    pub(super) fn global(&self, local: Timestamp) -> u64 {
        let passed = local.0.saturating_sub(self.offset) as i64;
        (passed * 1_000_000 / (1_000_000 + self.skew)) as u64 + 1
    }

    /// Begins another life.
    pub(super) fn begin(&mut self, numbers: &mut Numbers, jobs: usize, all: &[Did]) {
        self.life += 1;
        self.is_up = true;
        self.wakes_at = None;
        let settings = RequesterSettings {
            seed: numbers.next(),
            ..RequesterSettings::default()
        };
        self.requester = Requester::new(settings, Shared);
        let settings = ExecutorSettings {
            jobs,
            waiting: 40,
            waiting_each: 20,
            bids: 200,
            bids_each: 30,
            seed: numbers.next(),
            ..ExecutorSettings::default()
        };
        let owner = Owner {
            seed: numbers.next(),
            others: all.to_vec(),
        };
        let begun = self.begun.clone();
        self.executor = (jobs > 0).then(|| Executor::new(settings, owner, begun));
    }

    /// Whom it knows when it begins, and what it wanted before that.
    pub(super) fn inputs(&self, known: Vec<Did>, now: u64) -> Vec<RequesterInput> {
        let mut inputs: Vec<_> = known.into_iter().map(RequesterInput::Know).collect();
        for (ticket, wish) in &self.wishes {
            if wish.end.is_none() && wish.at <= now {
                let mut offer = wish.offer.clone();
                offer.given = self.given.get(&offer.instruction).copied();
                inputs.push(RequesterInput::Want(*ticket, Box::new(offer)));
            }
        }
        inputs
    }
}

/// Works for nearly everybody, and has nearly nothing.
#[derive(Debug)]
pub(super) struct Owner {
    seed: u64,
    others: Vec<Did>,
}

impl House for Owner {
    fn would(&self, ask: &Ask) -> Result<u64, Unwilling> {
        Ok((ask.ask ^ self.seed) % (4 << 20))
    }

    fn better(&self, ask: &Ask) -> Vec<Did> {
        let at = (ask.ask ^ self.seed) as usize % self.others.len();
        self.others[at..].iter().take(2).copied().collect()
    }
}

/// Checks receipts that are made by [`sign`]: a make-believe signature, since real ones cost more than all the rest.
#[derive(Debug)]
pub(super) struct Shared;

/// Makes a receipt of `ran` that says it is `issuer`'s, as `signer` can sign it.
pub(super) fn sign(ran: &Cid, issuer: Did, signer: Did) -> Vec<u8> {
    let mut receipt = ran.to_bytes();
    receipt.extend(issuer.as_bytes());
    let mac = mac(&receipt, signer);
    receipt.extend(mac);
    receipt
}

fn mac(bytes: &[u8], signer: Did) -> [u8; 32] {
    Sha256::new()
        .chain_update(bytes)
        .chain_update(signer.as_bytes())
        .finalize()
        .into()
}

impl Judge for Shared {
    fn receipt(&self, bytes: &[u8]) -> Option<Said> {
        let (said, signature) = bytes.split_last_chunk::<32>()?;
        let (ran, issuer) = said.split_last_chunk::<32>()?;
        let issuer = super::numbers::did_of(issuer)?;
        (mac(said, issuer) == *signature).then_some(())?;
        Some(Said {
            receipt: cid_of_raw(bytes),
            ran: Cid::try_from(ran).ok()?,
            issuer,
        })
    }
}
