//! Receipts on the way in and out.

use homestar_core::ipld::{Block, Link};
use homestar_core::receipt::{Receipt, ReceiptError};

/// A receipt that is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The receipt.
    pub receipt: &'a Receipt,
    /// Blocks that it leads to and that nobody has put yet: the instruction, a large value, the trace.
    pub blocks: &'a [Block],
    /// Whether its issuer is believed, so that it may answer for others who ask the same. One's own receipts are; those
    /// that came from elsewhere as far as the node's rules say so.
    pub is_believed: bool,
    /// When it came, in milliseconds since 1970. The receipt itself has no time.
    pub at_ms: u64,
}

impl Record<'_> {
    /// True if the receipt may answer for whoever asks the same: it is believed, its instruction alone decided the
    /// outcome, and the task was wired to no driver.
    pub fn is_reusable(&self) -> bool {
        self.is_believed
            && self.receipt.outcome().is_reusable()
            && self.receipt.meta().trace.is_none()
    }
}

/// A receipt that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub(crate) block: Block,
    pub(crate) number: u64,
    pub(crate) is_reusable: bool,
    pub(crate) at_ms: u64,
}

impl Recorded {
    /// The receipt's name.
    pub fn link(&self) -> Link<Receipt> {
        Link::new(*self.block.cid())
    }

    /// The receipt's bytes.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The receipt. Its signature was checked before it was recorded, and isn't again.
    pub fn receipt(&self) -> Result<Receipt, ReceiptError> {
        self.receipt_like(None)
    }

    /// The receipt, where one was read before: most receipts in a store have the same issuer, and it takes
    /// longer to read that than all the rest.
    pub fn receipt_like(&self, before: Option<&Receipt>) -> Result<Receipt, ReceiptError> {
        Receipt::reread(self.block.clone(), before)
    }

    /// Its place among all: later ones have higher numbers.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// True if it may answer for whoever asks the same and is wired to the same effects: see [`Record::is_reusable`].
    pub fn is_reusable(&self) -> bool {
        self.is_reusable
    }

    /// When it came, in milliseconds since 1970.
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }
}
