//! Directories of many entries: a tree in which a name's hash says where it is.
//!
//! Each shard takes the next bits of the hash for the number of a slot. A slot holds nothing, one entry, or a shard
//! with all entries whose hashes agree so far. A bit field says which slots are filled, and each link's name begins
//! with its slot's number in hexadecimal.

use super::dag_pb::Writer;
use super::{Entry, Fault, data, murmur3};
use crate::ipld::{Block, DAG_PB};

/// The multihash code of [`murmur3`].
const MURMUR3_X64_64: u64 = 0x22;

/// How many slots a shard has: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fanout {
    bits: u32,
}

impl Default for Fanout {
    /// 256 slots, as all writers have it.
    fn default() -> Self {
        Self { bits: 8 }
    }
}

impl Fanout {
    pub(super) fn read(hash: Option<u64>, fanout: Option<u64>) -> Result<Self, Fault> {
        let (hash, fanout) = (hash.unwrap_or_default(), fanout.unwrap_or_default());
        // Other readers have the same bounds.
        let is_known = fanout.is_power_of_two() && (8..=1024).contains(&fanout);
        match (hash, is_known) {
            (MURMUR3_X64_64, true) => Ok(Self {
                bits: fanout.trailing_zeros(),
            }),
            _ => Err(Fault::Fanout { hash, fanout }),
        }
    }

    /// How many slots there are.
    pub fn slots(self) -> u32 {
        1 << self.bits
    }

    /// How deep shards can lie below each other: until the hash has no more bits for another.
    pub(super) fn depth_max(self) -> u32 {
        u64::BITS / self.bits
    }

    /// The slot of a hash in a shard that lies below `depth` others. The depth is less than the greatest.
    pub(super) fn slot(self, hash: u64, depth: u32) -> u32 {
        let shifted = hash << (depth * self.bits);
        (shifted >> (u64::BITS - self.bits)) as u32
    }

    /// The bits of a hash that lead through `depth` shards.
    pub(super) fn first(self, hash: u64, depth: u32) -> u64 {
        hash.checked_shr(u64::BITS - depth * self.bits).unwrap_or(0)
    }

    /// Those bits, and the ones of a slot behind them.
    pub(super) fn append(self, bits: u64, slot: u32) -> u64 {
        bits << self.bits | u64::from(slot)
    }

    /// What is wrong with a shard of this fanout below one of another.
    pub(super) fn unlike(self) -> Fault {
        Fault::Fanout {
            hash: MURMUR3_X64_64,
            fanout: self.slots().into(),
        }
    }

    /// What the names of a slot's links begin with.
    pub(super) fn prefix(self, slot: u32) -> String {
        let digits = self.bits.div_ceil(4) as usize;
        format!("{slot:0digits$X}")
    }

    /// The slots that a bit field says are filled, from the first.
    pub(super) fn slots_of(self, bit_field: &[u8]) -> Result<impl Iterator<Item = u32>, Fault> {
        // The last byte has the first bits. Zeros in front may be left out.
        if bit_field.len() > self.slots() as usize / 8 {
            return Err(Fault::BitField);
        }
        let bytes = (0..).zip(bit_field.iter().rev());
        Ok(bytes.flat_map(|(at, byte)| {
            let bits = (0..8).filter(move |bit| byte >> bit & 1 == 1);
            bits.map(move |bit| at * 8 + bit)
        }))
    }
}

/// The hash that says where in a directory a name is.
pub(super) fn hash_of(name: &str) -> u64 {
    murmur3::hash(name.as_bytes())
}

/// An entry on its way into a shard.
pub(super) struct Placed {
    pub(super) hash: u64,
    pub(super) name: String,
    pub(super) entry: Entry,
}

/// Writes the shard of `placed`, sorted by hash, and all below it. No more names share a hash than there is room for.
pub(super) fn write<E>(
    placed: &[Placed],
    depth: u32,
    put: &mut impl FnMut(Block) -> Result<(), E>,
) -> Result<Entry, E> {
    let fanout = Fanout::default();
    let mut bit_field = [0u8; 32];
    let mut writer = Writer::default();
    let mut file_bytes = 0u64;
    for group in placed.chunk_by(|a, b| fanout.slot(a.hash, depth) == fanout.slot(b.hash, depth)) {
        let slot = fanout.slot(group[0].hash, depth);
        bit_field[31 - slot as usize / 8] |= 1 << (slot % 8);
        let (entry, name) = match group {
            [alone] => (alone.entry, alone.name.as_str()),
            several => (write(several, depth + 1, put)?, ""),
        };
        writer.link(&entry.cid, &(fanout.prefix(slot) + name), entry.total_bytes);
        file_bytes = file_bytes.saturating_add(entry.file_bytes);
    }
    let zeros = bit_field.iter().take_while(|byte| **byte == 0).count();
    let data = data::shard(&bit_field[zeros..], MURMUR3_X64_64, fanout.slots().into());
    let (bytes, total_bytes) = writer.finish(&data);
    let block = Block::new(DAG_PB, bytes);
    let cid = *block.cid();
    put(block)?;
    Ok(Entry {
        cid,
        file_bytes,
        total_bytes,
    })
}
