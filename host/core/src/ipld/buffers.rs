//! Memory for blocks that come and go.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::MAX_BLOCK_BYTES;

/// Buffers that are used again once nobody reads them any more.
///
/// Whoever passes on a file block by block would otherwise take each from the system, page by page, and give it back
/// a moment later, which takes longer than copying it. Clones are the same.
///
/// ```
/// use homestar_core::ipld::{Block, Buffers};
///
/// let buffers = Buffers::new(4);
/// let mut buffer = buffers.take(5);
/// buffer.copy_from_slice(b"hello");
/// let block = Block::raw(buffer);
/// assert_eq!(block.bytes(), b"hello");
/// ```
#[derive(Clone, Debug)]
pub struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    most: usize,
}

impl Buffers {
    /// Returns none yet, of which at most so many are kept that nobody uses.
    pub fn new(most: usize) -> Self {
        Self {
            free: Arc::default(),
            most,
        }
    }

    /// Returns a buffer of this length. What is in it isn't said: zeros, or what was there before.
    pub fn take(&self, length: usize) -> Buffer {
        let mut buffer = self.take_any(length);
        buffer.bytes.resize(length, 0);
        buffer
    }

    /// Returns an empty buffer that has room for so much before it needs more.
    pub fn take_empty(&self, room: usize) -> Buffer {
        let mut buffer = self.take_any(room);
        buffer.bytes.clear();
        buffer
    }

    fn take_any(&self, room: usize) -> Buffer {
        // A small block doesn't hold the memory of a large one.
        let fits = |bytes: &Vec<u8>| (room..=2 * room).contains(&bytes.capacity());
        let mut free = self.free();
        let found = free.iter().rposition(fits);
        let found = found.map(|at| free.swap_remove(at));
        drop(free);
        Buffer {
            bytes: found.unwrap_or_else(|| Vec::with_capacity(room)),
            home: self.clone(),
        }
    }

    /// Nothing panics while it holds this lock.
    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, bytes: Vec<u8>) {
        if !(KEPT_BYTES_MIN..=MAX_BLOCK_BYTES).contains(&bytes.capacity()) {
            return;
        }
        let mut free = self.free();
        if free.len() < self.most {
            free.push(bytes);
        }
    }
}

/// Smaller buffers aren't kept: the allocator has those at hand.
const KEPT_BYTES_MIN: usize = 64 << 10;

/// A buffer, which goes back where it came from.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffer {
    /// Keeps the beginning only.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Buffer> for Bytes {
    fn from(buffer: Buffer) -> Self {
        Self::from_owner(buffer)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Block;
    use super::*;

    fn place(buffer: &[u8]) -> *const u8 {
        buffer.as_ptr()
    }

    #[test]
    fn memory_is_used_again_when_the_last_reader_is_gone() {
        let buffers = Buffers::new(1);
        let first = buffers.take(100_000);
        let at = place(&first);
        let block = Block::raw(first);
        let clone = block.clone();
        drop(block);
        let other = buffers.take(100_000);
        assert_ne!(place(&other), at);
        drop(clone);
        assert_ne!(place(&buffers.take(10)), at);
        assert_eq!(place(&buffers.take(90_000)), at);
        let empty = buffers.take_empty(80_000);
        assert_eq!((place(&empty), empty.len()), (at, 0));
    }

    #[test]
    fn no_more_are_kept_than_was_said_and_none_that_are_large() {
        let buffers = Buffers::new(2);
        let taken = [1, 1, 1].map(|_| buffers.take(KEPT_BYTES_MIN));
        drop(taken);
        assert_eq!(buffers.free().len(), 2);
        buffers.free().clear();
        for length in [KEPT_BYTES_MIN - 1, MAX_BLOCK_BYTES + 1] {
            drop(buffers.take(length));
        }
        assert!(buffers.free().is_empty());
    }

    #[test]
    fn a_buffer_has_the_length_that_was_asked_for() {
        let buffers = Buffers::new(1);
        for length in [0, 7, 100_000, 90_000, 99_000, 0] {
            let mut buffer = buffers.take(length);
            assert_eq!(buffer.len(), length);
            buffer.fill(9);
            buffer.extend_from_slice(b"more");
            assert_eq!(buffer.len(), length + 4);
        }
    }
}
