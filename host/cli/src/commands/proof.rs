//! Files that hold a receipt: alone, or with all it takes to run its task again.

use std::fmt::Display;
use std::path::Path;

use homestar_core::car;
use homestar_core::evidence::Evidence;
use homestar_core::ipld::MAX_BLOCK_BYTES;
use homestar_core::receipt::Receipt;

use crate::error::{Caused, CommandError};
use crate::files;

/// Most bytes of a file with everything: components of the largest size, and as much heard from outside as a task may
/// hear unless told otherwise.
const CAR_BYTES_MAX: u64 = 1 << 30;

/// What a file with a receipt holds.
#[derive(Debug)]
pub(super) enum Proof {
    /// The receipt.
    Bare(Box<Receipt>),
    /// The receipt and everything that it links.
    Whole(Box<Evidence>),
}

impl Proof {
    /// Reads a file and checks all that can be checked without running anything.
    pub(super) fn read(path: &Path) -> Result<Self, CommandError> {
        let bytes = files::read(path, CAR_BYTES_MAX)?;
        if car::is_car(&bytes) {
            let words = format!("{} is not good evidence of a task", path.display());
            let evidence = Evidence::from_car(&bytes);
            let evidence = evidence.map_err(|error| CommandError::input(Caused::new(words, error)));
            return Ok(Self::Whole(Box::new(evidence?)));
        }
        if bytes.len() > MAX_BLOCK_BYTES {
            let words = format!("{} has more than 1 MiB, and no receipt has", path.display());
            return Err(CommandError::input(words));
        }
        Self::decode(path.display(), &bytes)
    }

    /// Reads the bytes of a receipt that is alone.
    pub(super) fn decode(named: impl Display, bytes: &[u8]) -> Result<Self, CommandError> {
        let receipt = Receipt::decode(bytes).map_err(|error| {
            let words = format!("{named} is not a good receipt");
            CommandError::input(Caused::new(words, error))
        })?;
        Ok(Self::Bare(Box::new(receipt)))
    }

    /// Returns the receipt.
    pub(super) fn receipt(&self) -> &Receipt {
        match self {
            Self::Bare(receipt) => receipt,
            Self::Whole(evidence) => &evidence.receipt,
        }
    }

    /// Returns all that the file holds, if it is more than the receipt.
    pub(super) fn evidence(&self) -> Option<&Evidence> {
        match self {
            Self::Bare(_) => None,
            Self::Whole(evidence) => Some(evidence),
        }
    }
}
