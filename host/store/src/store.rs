//! What every store does.

use std::fmt::Debug;

use homestar_core::ipld::{Block, Cid, Link};
use homestar_core::receipt::Receipt;
use homestar_core::task::Instruction;

use crate::{Collected, Links, Pin, Record, Recorded, Session, Stats, StoreError, Verified};

/// Blocks, receipts, pins and names.
///
/// All methods may be called from any thread; they wait for the disk, so asynchronous callers call them from jobs that
/// may block. What a method changed is durable when it returns without an error, but for [`stage`](Self::stage).
///
/// **Blocks are kept by multihash.** The same bytes under two codecs, or under CIDs of two versions, are one block, and
/// each of these CIDs gets it. A CID that holds its block itself always gets it; one of any other hash than sha2-256 gets nothing.
///
/// **What stays.** [`gc`](Self::gc) takes only what nothing needs. Pins, names, receipts and what sessions hold need
/// the blocks that they name and all that these link to. In addition everything stays that was put since the oldest live
/// [`session`](Self::session) began. So whoever puts blocks and points to them afterwards does both within a session.
pub trait Store: Send + Sync + Debug {
    /// Keeps blocks. They are durable when this returns; callers that come at the same time share the wait.
    ///
    /// Putting what is there already is cheap, makes it as good as new for sessions, and repairs it if it was damaged.
    /// A block has at most [`MAX_BLOCK_BYTES`](homestar_core::ipld::MAX_BLOCK_BYTES). After an error some of the blocks may
    /// be there and some not.
    fn put(&self, blocks: &[Block]) -> Result<(), StoreError>;

    /// Keeps blocks without waiting for the disk: they can be read through this store at once, and are durable when
    /// the next [`put`](Self::put), [`record`](Self::record) or [`flush`](Self::flush) that begins after this returns.
    /// Until then a crash takes them.
    ///
    /// For many blocks that only matter together, such as the pieces of a file: a store may keep them at once.
    fn stage(&self, blocks: &[Block]) -> Result<(), StoreError> {
        self.put(blocks)
    }

    /// Waits until everything that was staged is durable.
    fn flush(&self) -> Result<(), StoreError> {
        self.put(&[])
    }

    /// Returns a block, checked against its name.
    ///
    /// One that was damaged is [`StoreError::Corrupt`]; it can be put again.
    fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError>;

    /// Returns how many bytes a block has, without reading them.
    fn size(&self, cid: &Cid) -> Result<Option<u64>, StoreError>;

    /// True if a block is there. Whoever relies on it later holds it ([`Session::hold`]) first and asks then.
    fn has(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.size(cid)?.is_some())
    }

    /// Returns those of `cids` that aren't there, in the same order.
    fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        let mut missing = Vec::new();
        for cid in cids {
            if !self.has(cid)? {
                missing.push(*cid);
            }
        }
        Ok(missing)
    }

    /// Returns several blocks, in the order of `cids`.
    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, StoreError> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }

    /// Lists at most `limit` blocks, in the order of their multihashes, from the first one behind `after`. Each stands
    /// under the CID that it was put with first.
    fn list(&self, after: Option<&Cid>, limit: usize) -> Result<Vec<Cid>, StoreError>;

    /// Keeps what a pin names from [`gc`](Self::gc). It need not be there yet. A pin of the same CID and label is
    /// replaced.
    fn pin(&self, pin: &Pin) -> Result<(), StoreError>;

    /// Sets several pins, in one commit where that costs less.
    fn pin_all(&self, pins: &[Pin]) -> Result<(), StoreError> {
        pins.iter().try_for_each(|pin| self.pin(pin))
    }

    /// Removes a pin. Returns whether there was one.
    fn unpin(&self, cid: &Cid, label: &str) -> Result<bool, StoreError>;

    /// Returns all pins, in the order of their labels.
    fn pins(&self) -> Result<Vec<Pin>, StoreError>;

    /// Lets a name lead to a CID, or to nothing any more, and returns where it led before. What a name leads to is
    /// kept with all that it links to.
    fn set_name(&self, name: &str, cid: Option<&Cid>) -> Result<Option<Cid>, StoreError>;

    /// Does what [`set_name`](Self::set_name) does if the name leads to `old` now, and returns whether it did.
    fn swap_name(
        &self,
        name: &str,
        old: Option<&Cid>,
        new: Option<&Cid>,
    ) -> Result<bool, StoreError>;

    /// Returns where a name leads.
    fn name(&self, name: &str) -> Result<Option<Cid>, StoreError>;

    /// Returns all names, sorted.
    fn names(&self) -> Result<Vec<(String, Cid)>, StoreError> {
        self.names_under("")
    }

    /// Returns the names that begin with a text, sorted. What that takes doesn't depend on how many others there are.
    fn names_under(&self, beginning: &str) -> Result<Vec<(String, Cid)>, StoreError>;

    /// Keeps receipts, with the blocks that come with them, so that they are found by their instructions. All of it is
    /// one commit: either everything is durable or nothing was recorded.
    ///
    /// A receipt that was recorded before stays as it is, but one that is believed now and wasn't then is believed from
    /// now on.
    fn record(&self, records: &[Record<'_>]) -> Result<(), StoreError>;

    /// Forgets receipts, so that they need no blocks any more. Returns how many there were.
    fn forget(&self, receipts: &[Link<Receipt>]) -> Result<usize, StoreError>;

    /// Returns all receipts of each of many instructions: for each of `ran` its receipts, the oldest first. There may be
    /// several, of different issuers or of different wiring.
    ///
    /// A receipt that was damaged is left out, since whoever asks does best to run the task again, and recording that
    /// repairs it.
    fn receipts_of(&self, ran: &[Link<Instruction>]) -> Result<Vec<Vec<Recorded>>, StoreError>;

    /// Returns the receipt that answers for an instruction: the oldest of those that are
    /// [reusable](Recorded::is_reusable). Whether it answers for the caller depends on the effects that it names too.
    fn receipt(&self, ran: &Link<Instruction>) -> Result<Option<Recorded>, StoreError> {
        let all = self.receipts_of(&[*ran])?.into_iter().flatten();
        Ok(all.into_iter().find(Recorded::is_reusable))
    }

    /// Lists at most `limit` receipts, the newest first, from the first one with a [number](Recorded::number) below
    /// `before`. Damaged ones are left out.
    fn receipts(&self, before: Option<u64>, limit: usize) -> Result<Vec<Recorded>, StoreError>;

    /// Begins a session: until it is dropped, or its process ends, everything that is put from now on stays.
    fn session(&self) -> Result<Session, StoreError>;

    /// Frees the space of everything that nothing needs (see above). Others may read and write meanwhile.
    ///
    /// Links are followed as far as blocks are there. If a damaged block is in the way, nobody can say what it needs, so
    /// this ends with [`StoreError::Corrupt`]; what was freed by then was of no use.
    fn gc(&self, links: &Links<'_>) -> Result<Collected, StoreError>;

    /// Reads everything and says what is damaged. It changes nothing.
    fn verify(&self) -> Result<Verified, StoreError>;

    /// Returns how much is kept.
    fn stats(&self) -> Result<Stats, StoreError>;
}
