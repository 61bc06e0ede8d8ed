//! The data of a UnixFS node: what kind of thing it is, bytes of a file, sizes of its parts.
//!
//! ```text
//! Data { 1: type, 2: bytes, 3: file size, 4: size of each part …, 5: hash, 6: fanout, 7: mode, 8: time }
//! ```

use super::Fault;
use super::proto::{self, Field, Fields, Value};
use std::ops::Range;

pub(super) const TYPE_RAW: u64 = 0;
pub(super) const TYPE_DIRECTORY: u64 = 1;
pub(super) const TYPE_FILE: u64 = 2;
pub(super) const TYPE_SYMLINK: u64 = 4;
pub(super) const TYPE_SHARD: u64 = 5;

/// When something was changed, as its writer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtime {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds, fewer than a second has.
    pub nanoseconds: u32,
}

/// Data that was read. Ranges are positions in the block.
#[derive(Debug, Default)]
pub(super) struct Data {
    pub(super) kind: u64,
    pub(super) bytes: Option<Range<usize>>,
    pub(super) file_bytes: Option<u64>,
    pub(super) sizes: Vec<u64>,
    pub(super) hash: Option<u64>,
    pub(super) fanout: Option<u64>,
    pub(super) mode: Option<u32>,
    pub(super) mtime: Option<Mtime>,
}

/// Reads data. Fields that were added to UnixFS later are passed over.
pub(super) fn read(block: &[u8], within: Range<usize>) -> Result<Data, Fault> {
    let mut fields = Fields::of(block, within);
    let mut data = Data::default();
    let mut kind = None;
    while let Some(Field { number, value }) = fields.next()? {
        match (number, value) {
            (1, Value::Number(value)) => once(&mut kind, value)?,
            (2, Value::Bytes(bytes)) => once(&mut data.bytes, bytes)?,
            (3, Value::Number(bytes)) => once(&mut data.file_bytes, bytes)?,
            (4, Value::Number(bytes)) => data.sizes.push(bytes),
            (4, Value::Bytes(packed)) => {
                let mut packed = Fields::of(block, packed);
                while !packed.is_empty() {
                    data.sizes.push(packed.number()?);
                }
            }
            (5, Value::Number(hash)) => once(&mut data.hash, hash)?,
            (6, Value::Number(fanout)) => once(&mut data.fanout, fanout)?,
            // A mode has 32 bits, and what is above them was made by extending a sign.
            (7, Value::Number(mode)) => once(&mut data.mode, mode as u32)?,
            (8, Value::Bytes(time)) => once(&mut data.mtime, read_time(block, time)?)?,
            (1..=8, _) => return Err(Fault::DataField { number }),
            _ => {}
        }
    }
    data.kind = kind.ok_or(Fault::NoData)?;
    Ok(data)
}

fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Fault> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Order),
    }
}

fn read_time(block: &[u8], within: Range<usize>) -> Result<Mtime, Fault> {
    let mut fields = Fields::of(block, within);
    let (mut seconds, mut nanoseconds) = (None, None);
    while let Some(Field { number, value }) = fields.next()? {
        match (number, value) {
            (1, Value::Number(value)) => once(&mut seconds, value as i64)?,
            (2, Value::Fixed(value)) => once(&mut nanoseconds, value)?,
            (1..=2, _) => return Err(Fault::DataField { number: 8 }),
            _ => {}
        }
    }
    let nanoseconds = nanoseconds.unwrap_or_default();
    if nanoseconds > 999_999_999 {
        return Err(Fault::Time(nanoseconds));
    }
    let seconds = seconds.ok_or(Fault::DataField { number: 8 })?;
    Ok(Mtime {
        seconds,
        nanoseconds,
    })
}

/// The data of a leaf of a file.
pub(super) fn leaf(bytes: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(bytes.len() + 24);
    proto::number(&mut data, 1, TYPE_FILE);
    if !bytes.is_empty() {
        proto::bytes(&mut data, 2, bytes);
    }
    proto::number(&mut data, 3, bytes.len() as u64);
    data
}

/// The data of a node of a file with parts of these sizes.
pub(super) fn file(file_bytes: u64, sizes: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut data = Vec::new();
    proto::number(&mut data, 1, TYPE_FILE);
    proto::number(&mut data, 3, file_bytes);
    sizes.for_each(|size| proto::number(&mut data, 4, size));
    data
}

/// The data of a directory in one node.
pub(super) fn directory() -> Vec<u8> {
    let mut data = Vec::new();
    proto::number(&mut data, 1, TYPE_DIRECTORY);
    data
}

/// The data of a symbolic link.
pub(super) fn symlink(target: &str) -> Vec<u8> {
    let mut data = Vec::new();
    proto::number(&mut data, 1, TYPE_SYMLINK);
    proto::bytes(&mut data, 2, target.as_bytes());
    data
}

/// The data of a shard of a directory.
pub(super) fn shard(bit_field: &[u8], hash: u64, fanout: u64) -> Vec<u8> {
    let mut data = Vec::new();
    proto::number(&mut data, 1, TYPE_SHARD);
    proto::bytes(&mut data, 2, bit_field);
    proto::number(&mut data, 5, hash);
    proto::number(&mut data, 6, fanout);
    data
}
