//! A whole file from blocks that are at hand.

use super::{FileReader, Step, UnixfsError};
use crate::ipld::{Block, Cid};
use thiserror::Error;

/// Reads a file of at most so many bytes into memory. `block` gives blocks, checked against their CIDs.
///
/// Few blocks can make a long file, since a part may be linked any number of times: the bound is what memory there is
/// for it. Without need to have all of it in memory, read it by [`FileReader`].
pub fn read_file(
    root: &Cid,
    bytes_max: u64,
    mut block: impl FnMut(&Cid) -> Option<Block>,
) -> Result<Vec<u8>, ReadError> {
    let mut reader = FileReader::new(*root);
    let mut file = Vec::new();
    let mut given = None;
    loop {
        match reader.step()? {
            Step::Need(cid) => {
                let found = block(&cid).ok_or(ReadError::Missing(cid))?;
                reader.give(&found)?;
                given = Some(found);
                if let Some(bytes) = reader.file_bytes().filter(|bytes| *bytes > bytes_max) {
                    let cid = *root;
                    return Err(ReadError::TooLong { cid, bytes });
                }
            }
            Step::Bytes { range, .. } => {
                let bytes = given.as_ref().map_or(&[][..], Block::bytes);
                file.extend_from_slice(&bytes[range]);
            }
            Step::Inline(bytes) => file.extend(bytes),
            Step::Done => return Ok(file),
        }
    }
}

/// Why a file can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A block isn't there.
    #[error("block {0} is not there")]
    Missing(Cid),
    /// The file is longer than it may be.
    #[error("file {cid} has {bytes} bytes, more than it may have")]
    TooLong {
        /// Its name.
        cid: Cid,
        /// How many it has.
        bytes: u64,
    },
    /// A block is not what it has to be.
    #[error(transparent)]
    Unixfs(#[from] UnixfsError),
}

#[cfg(test)]
mod tests {
    use super::super::testing::{any_layout, contents, file_of};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn what_is_written_is_read(layout in any_layout(), bytes in contents()) {
            let (file, blocks) = file_of(layout, &bytes);
            let length = bytes.len() as u64;
            let read = |most| read_file(&file.cid, most, |cid| blocks.0.get(cid).cloned());
            if let Some(less) = length.checked_sub(1) {
                let (cid, bytes) = (file.cid, length);
                prop_assert_eq!(read(less), Err(ReadError::TooLong { cid, bytes }));
            }
            prop_assert_eq!(read(length), Ok(bytes));
            let nothing = read_file(&file.cid, length, |_| None);
            prop_assert_eq!(nothing, Err(ReadError::Missing(file.cid)));
        }
    }
}
