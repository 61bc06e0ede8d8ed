//! What is taken of what somebody sends: the block that comes next on a walk, if it is what its name says.

use homestar_core::ipld::{Block, Cid};

use crate::fetch::check;
use crate::{FetchError, Given, Walk, What};

/// Blocks of no interest from one sender before it is listened to no longer.
const UNEXPECTED_MAX: usize = 16;
/// Bytes of blocks that came before, besides as many as there were new ones. Of a file of nothing but zeros all blocks
/// are the same one.
const AGAIN_BYTES_MAX: usize = 4 << 20;

/// Why nothing more is taken.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The sender's fault.
    Sender(What),
    /// Nobody could send it.
    Walk(FetchError),
}

impl From<What> for Unfit {
    fn from(what: What) -> Self {
        Self::Sender(what)
    }
}

impl From<FetchError> for Unfit {
    fn from(error: FetchError) -> Self {
        Self::Walk(error)
    }
}

/// Keeps what comes next on a walk, and counts the rest.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Whether the sender may leave something out.
    has_gaps: bool,
    unexpected: usize,
    fresh_bytes: usize,
    again_bytes: usize,
}

impl Filter {
    /// For somebody who leaves out what they don't have. It is at the end of the walk then.
    pub(crate) fn with_gaps() -> Self {
        Self {
            has_gaps: true,
            ..Self::default()
        }
    }

    pub(crate) fn sift(
        &mut self,
        walk: &mut Walk,
        cid: Cid,
        bytes: Vec<u8>,
    ) -> Result<Option<Block>, Unfit> {
        let given = match walk.judge(&cid) {
            Given::Unexpected if self.has_gaps && walk.pass_to(&cid) => Given::Next,
            given => given,
        };
        match given {
            Given::Next => {
                check(&cid)?;
                self.fresh_bytes += bytes.len();
                let block = Block::verify(cid, bytes).map_err(|_| What::Lied { cid })?;
                walk.give(&block).map_err(FetchError::from)?;
                Ok(Some(block))
            }
            // Not worth a hash: nobody keeps it.
            Given::Again => {
                self.again_bytes += bytes.len();
                match self.again_bytes > self.fresh_bytes + AGAIN_BYTES_MAX {
                    true => Err(What::Repeated.into()),
                    false => Ok(None),
                }
            }
            Given::Unexpected => {
                self.unexpected += 1;
                match self.unexpected > UNEXPECTED_MAX {
                    true => {
                        let blocks = self.unexpected;
                        Err(What::Flooded { blocks }.into())
                    }
                    false => Ok(None),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
