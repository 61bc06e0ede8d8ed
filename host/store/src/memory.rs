//! A store that lasts as long as it is held.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homestar_core::ipld::{Block, Cid, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;

use crate::key::Key;
use crate::mark::Marker;
use crate::{
    Collected, Depth, Holder, Links, Pin, Record, Recorded, Session, Stats, Store, StoreError,
    Verified,
};

/// A store in memory. Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    quota_bytes: Option<u64>,
}

impl Memory {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an empty store that takes blocks of at most so many bytes together.
    pub fn with_quota(quota_bytes: u64) -> Self {
        Self {
            quota_bytes: Some(quota_bytes),
            ..Self::default()
        }
    }

    /// Nothing panics while it holds the lock, but for what callers pass in; that leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    blocks: BTreeMap<Key, Kept>,
    bytes: u64,
    pins: BTreeMap<(String, Cid), Pin>,
    names: BTreeMap<String, Cid>,
    receipts: BTreeMap<u64, Row>,
    receipts_made: u64,
    numbers: HashMap<Cid, u64>,
    of: HashMap<Link<Instruction>, Vec<u64>>,
    /// How often garbage was collected: the clock by which sessions and blocks are compared.
    epoch: u64,
    sessions: BTreeMap<u64, Open>,
    sessions_made: u64,
}

#[derive(Debug)]
struct Kept {
    block: Block,
    /// When it was put last.
    touched: u64,
}

#[derive(Debug)]
struct Row {
    ran: Link<Instruction>,
    receipt: Cid,
    is_reusable: bool,
    at_ms: u64,
}

/// An open session.
#[derive(Debug)]
struct Open {
    since: u64,
    holds: Vec<Cid>,
}

impl State {
    fn put<'a>(
        &mut self,
        blocks: impl Iterator<Item = &'a Block> + Clone,
        quota: Option<u64>,
    ) -> Result<(), StoreError> {
        let mut new = BTreeMap::new();
        for block in blocks.clone() {
            if let Some(key) = Key::for_keeping(block)?
                && !self.blocks.contains_key(&key)
            {
                new.insert(key, block.bytes().len() as u64);
            }
        }
        let asked = new.values().sum::<u64>();
        if let Some(quota) = quota.filter(|quota| asked > 0 && self.bytes + asked > *quota) {
            let used = self.bytes;
            return Err(StoreError::Quota { quota, used, asked });
        }
        self.bytes += asked;
        for block in blocks {
            let touched = self.epoch;
            let Some(key) = Key::of(block.cid()) else {
                continue;
            };
            match self.blocks.entry(key) {
                Entry::Occupied(mut kept) => kept.get_mut().touched = touched,
                Entry::Vacant(place) => {
                    let block = block.clone();
                    place.insert(Kept { block, touched });
                }
            }
        }
        Ok(())
    }

    fn get(&self, cid: &Cid) -> Option<Block> {
        let Some(key) = Key::of(cid) else {
            return Block::inline(cid);
        };
        let kept = self.blocks.get(&key)?;
        if kept.block.cid() == cid {
            return Some(kept.block.clone());
        }
        let bytes = kept.block.bytes().to_vec();
        Some(Block::verify(*cid, bytes).expect("the hash was checked, and is the same"))
    }

    fn record(&mut self, record: &Record<'_>) {
        let receipt = *record.receipt.link().cid();
        if let Some(number) = self.numbers.get(&receipt) {
            let row = self
                .receipts
                .get_mut(number)
                .expect("numbered rows are there");
            row.is_reusable |= record.is_reusable();
            return;
        }
        self.receipts_made += 1;
        self.numbers.insert(receipt, self.receipts_made);
        let ran = *record.receipt.ran();
        self.of.entry(ran).or_default().push(self.receipts_made);
        let row = Row {
            ran,
            receipt,
            is_reusable: record.is_reusable(),
            at_ms: record.at_ms,
        };
        self.receipts.insert(self.receipts_made, row);
    }

    fn recorded(&self, number: u64, row: &Row) -> Option<Recorded> {
        Some(Recorded {
            block: self.get(&row.receipt)?,
            number,
            is_reusable: row.is_reusable,
            at_ms: row.at_ms,
        })
    }

    fn mark(&self, links: &Links<'_>) -> Result<Marker, StoreError> {
        let mut marker = Marker::default();
        let mut get = |cid: &Cid| Ok(self.get(cid));
        let direct = self.pins.values().filter(|pin| pin.depth == Depth::Direct);
        for pin in direct {
            marker.block(&pin.cid);
        }
        let pins = self.pins.values();
        let pins = pins.filter(|pin| pin.depth == Depth::Recursive);
        let roots = pins
            .map(|pin| &pin.cid)
            .chain(self.names.values())
            .chain(self.receipts.values().map(|row| &row.receipt))
            .chain(self.sessions.values().flat_map(|session| &session.holds));
        for root in roots {
            marker.dag(root, &mut get, links)?;
        }
        Ok(marker)
    }
}

impl Store for Memory {
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError> {
        self.state().put(blocks.iter(), self.quota_bytes)
    }

    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        Ok(self.state().get(cid))
    }

    fn size(&self, cid: &Cid) -> Result<Option<u64>, StoreError> {
        let block = self.state().get(cid);
        Ok(block.map(|block| block.bytes().len() as u64))
    }

    fn list(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Cid>, StoreError> {
        let from = match after.and_then(Key::of) {
            Some(key) => Bound::Excluded(key),
            None => Bound::Unbounded,
        };
        let state = self.state();
        let blocks = state.blocks.range((from, Bound::Unbounded)).take(limit);
        Ok(blocks.map(|(_, kept)| *kept.block.cid()).collect())
    }

    fn pin(&self, pin: &Pin) -> Result<(), StoreError> {
        let key = (pin.label.clone(), pin.cid);
        self.state().pins.insert(key, pin.clone());
        Ok(())
    }

    fn unpin(&self, cid: &Cid, label: &str) -> Result<bool, StoreError> {
        let key = (label.to_owned(), *cid);
        Ok(self.state().pins.remove(&key).is_some())
    }

    fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        Ok(self.state().pins.values().cloned().collect())
    }

    fn set_name(&self, name: &str, cid: Option<&Cid>) -> Result<Option<Cid>, StoreError> {
        let mut state = self.state();
        Ok(match cid {
            Some(cid) => state.names.insert(name.to_owned(), *cid),
            None => state.names.remove(name),
        })
    }

    fn swap_name(
        &self,
        name: &str,
        old: Option<&Cid>,
        new: Option<&Cid>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.names.get(name) != old {
            return Ok(false);
        }
        match new {
            Some(new) => state.names.insert(name.to_owned(), *new),
            None => state.names.remove(name),
        };
        Ok(true)
    }

    fn name(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        Ok(self.state().names.get(name).copied())
    }

    fn names_under(&self, beginning: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        let state = self.state();
        let from = (Bound::Included(beginning), Bound::Unbounded);
        let from = state.names.range::<str, _>(from);
        let fit = from.take_while(|(name, _)| name.starts_with(beginning));
        Ok(fit.map(|(name, cid)| (name.clone(), *cid)).collect())
    }

    fn record(&self, records: &[Record<'_>]) -> Result<(), StoreError> {
        let receipts = records.iter().map(|record| record.receipt.block());
        let others = records.iter().flat_map(|record| record.blocks);
        let mut state = self.state();
        state.put(receipts.chain(others), self.quota_bytes)?;
        for record in records {
            state.record(record);
        }
        Ok(())
    }

    fn forget(&self, receipts: &[Link<Receipt>]) -> Result<usize, StoreError> {
        let mut state = self.state();
        let numbers = receipts.iter();
        let numbers = numbers.filter_map(|link| state.numbers.remove(link.cid()));
        let numbers: Vec<_> = numbers.collect();
        for number in &numbers {
            let row = state.receipts.remove(number);
            let row = row.expect("numbered rows are there");
            let of = state.of.entry(row.ran).or_default();
            of.retain(|other| other != number);
        }
        Ok(numbers.len())
    }

    fn receipts_of(&self, ran: &[Link<Instruction>]) -> Result<Vec<Vec<Recorded>>, StoreError> {
        let state = self.state();
        let of = |link| {
            let numbers = state.of.get(link).into_iter().flatten();
            let recorded =
                numbers.filter_map(|number| state.recorded(*number, &state.receipts[number]));
            recorded.collect()
        };
        Ok(ran.iter().map(of).collect())
    }

    fn receipts(&self, before: Option<u64>, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        let state = self.state();
        let rows = state.receipts.range(..before.unwrap_or(u64::MAX)).rev();
        let found = rows.filter_map(|(&number, row)| state.recorded(number, row));
        Ok(found.take(limit).collect())
    }

    fn session(&self) -> Result<Session, StoreError> {
        let mut state = self.state();
        let number = state.sessions_made;
        state.sessions_made += 1;
        let open = Open {
            since: state.epoch,
            holds: vec![],
        };
        state.sessions.insert(number, open);
        let store = self.clone();
        Ok(Session::new(Box::new(Held { store, number })))
    }

    fn gc(&self, links: &Links<'_>) -> Result<Collected, StoreError> {
        let mut state = self.state();
        let marker = state.mark(links)?;
        let oldest = state.sessions.values().map(|session| session.since).min();
        let mut collected = Collected::default();
        state.blocks.retain(|key, kept| {
            if marker.needs(key) || oldest.is_some_and(|oldest| kept.touched >= oldest) {
                return true;
            }
            collected.blocks += 1;
            collected.bytes += kept.block.bytes().len() as u64;
            false
        });
        collected.kept = state.blocks.len() as u64;
        state.bytes -= collected.bytes;
        state.epoch += 1;
        Ok(collected)
    }

    fn verify(&self) -> Result<Verified, StoreError> {
        let state = self.state();
        Ok(Verified {
            blocks: state.blocks.len() as u64,
            bytes: state.bytes,
            ..Verified::default()
        })
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let state = self.state();
        Ok(Stats {
            blocks: state.blocks.len() as u64,
            bytes: state.bytes,
            quota_bytes: self.quota_bytes,
            disk_bytes: 0,
            receipts: state.receipts.len() as u64,
            pins: state.pins.len() as u64,
            names: state.names.len() as u64,
        })
    }
}

/// A session of a store in memory.
#[derive(Debug)]
struct Held {
    store: Memory,
    number: u64,
}

impl Holder for Held {
    fn hold(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let mut state = self.store.state();
        let open = state.sessions.get_mut(&self.number);
        open.expect("it is open").holds.extend(cids);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.store.state().sessions.remove(&self.number);
    }
}
