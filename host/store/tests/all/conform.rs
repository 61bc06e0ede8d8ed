//! What every store promises.

mod blocks;
mod collect;
mod pins;
mod receipts;

pub(crate) use blocks::*;
pub(crate) use collect::*;
pub(crate) use pins::*;
pub(crate) use receipts::*;
