//! A file that holds a key and its value.
//!
//! ```text
//! "homestar state 1\n" ─ key's length (2 bytes, little endian) ─ key ─ value ─ SHA-256 of all that (32 bytes)
//! ```
//!
//! Its name is the SHA-256 of the key in hexadecimal, so that any text can be a key.

use std::fmt::Write;

use ring::digest::{SHA256, digest};

use super::{NAME_BYTES_MAX, VALUE_BYTES_MAX};

const FORMAT: &[u8; 17] = b"homestar state 1\n";
const HASH_BYTES: usize = 32;

/// What comes before the key.
const HEAD_BYTES: usize = FORMAT.len() + 2;
/// What a file takes beside key and value.
const OVERHEAD_BYTES: usize = HEAD_BYTES + HASH_BYTES;
/// The first bytes of a file, which hold its key.
pub(super) const START_BYTES_MAX: usize = HEAD_BYTES + NAME_BYTES_MAX;
/// The longest file.
pub(super) const FILE_BYTES_MAX: usize = OVERHEAD_BYTES + NAME_BYTES_MAX + VALUE_BYTES_MAX;

/// The name of a key's file.
pub(super) fn file_name(key: &str) -> String {
    hex(digest(&SHA256, key.as_bytes()).as_ref())
}

/// What key and value take in a file of that length.
pub(super) fn counted(file_bytes: u64) -> u64 {
    file_bytes.saturating_sub(OVERHEAD_BYTES as u64)
}

/// The content of a key's file. The key is no longer than a name may be.
pub(super) fn encode(key: &str, value: &[u8]) -> Vec<u8> {
    let length = (key.len() as u16).to_le_bytes();
    let mut file = [FORMAT, &length[..], key.as_bytes(), value].concat();
    let hash = digest(&SHA256, &file);
    file.extend_from_slice(hash.as_ref());
    file
}

/// The value in a file, if it is whole and of that key.
pub(super) fn value(mut file: Vec<u8>, key: &str) -> Option<Vec<u8>> {
    let end = file.len().checked_sub(HASH_BYTES)?;
    let (content, hash) = file.split_at(end);
    if digest(&SHA256, content).as_ref() != hash || key_of(content)? != key {
        return None;
    }
    file.truncate(end);
    file.drain(..HEAD_BYTES + key.len());
    Some(file)
}

/// The key in the first bytes of a file of that name, if it is one.
pub(super) fn key<'file>(start: &'file [u8], name: &str) -> Option<&'file str> {
    key_of(start).filter(|key| file_name(key) == name)
}

fn key_of(start: &[u8]) -> Option<&str> {
    let (length, rest) = start.strip_prefix(FORMAT)?.split_first_chunk()?;
    let key = rest.get(..u16::from_le_bytes(*length).into())?;
    std::str::from_utf8(key).ok()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_looks_as_described() {
        let file = encode("a", b"bc");
        assert_eq!(&file[..22], b"homestar state 1\n\x01\0abc");
        assert_eq!(file[22..], *digest(&SHA256, &file[..22]).as_ref());
        assert_eq!(counted(file.len() as u64), 3);
        assert_eq!(
            file_name("a"),
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(key in ".{1,60}", content: Vec<u8>) {
            let file = encode(&key, &content);
            prop_assert_eq!(super::key(&file, &file_name(&key)), Some(&*key));
            prop_assert_eq!(super::key(&file, &file_name("another")), None);
            prop_assert_eq!(value(file.clone(), "another key"), None);
            prop_assert_eq!(value(file, &key), Some(content));
        }

        #[test]
        fn a_cut_or_changed_file_has_no_value(content: Vec<u8>, at: usize, change in 1u8..) {
            let mut file = encode("key", &content);
            let at = at % file.len();
            prop_assert_eq!(value(file[..at].to_vec(), "key"), None);
            file[at] ^= change;
            prop_assert_eq!(value(file, "key"), None);
        }

        #[test]
        fn no_file_panics(file: Vec<u8>, key: String) {
            let _ = super::key(&file, &key);
            let _ = super::key(&[FORMAT, &*file].concat(), &key);
            prop_assert_eq!(value(file, &key), None);
        }
    }
}
