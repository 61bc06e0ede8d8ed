//! The wire format of protocol buffers, as much of it as dag-pb and UnixFS use.
//!
//! What is read are positions in the block, so that nothing of a leaf is copied.

use super::Fault;
use std::ops::Range;

/// A field as it stands in a message.
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) value: Value,
}

pub(super) enum Value {
    Number(u64),
    /// Where in the block they are.
    Bytes(Range<usize>),
    Fixed(u32),
    /// Eight bytes; no message here has any.
    Wide,
}

/// The fields of a message within a block, in the order in which they stand.
pub(super) struct Fields<'a> {
    block: &'a [u8],
    within: Range<usize>,
}

impl<'a> Fields<'a> {
    /// `within` lies in the block.
    pub(super) fn of(block: &'a [u8], within: Range<usize>) -> Self {
        Self { block, within }
    }

    pub(super) fn next(&mut self) -> Result<Option<Field>, Fault> {
        if self.within.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Wide)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let at = self.take(4)?.start;
                let four = self.block[at..].first_chunk().copied();
                Value::Fixed(u32::from_le_bytes(four.unwrap_or_default()))
            }
            _ => return Err(Fault::Field { number: key >> 3 }),
        };
        let number = key >> 3;
        Ok(Some(Field { number, value }))
    }

    /// A number of at most 64 bits, low bits first.
    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let at = self.take(1)?.start;
            let byte = self.block[at];
            if shift == 63 && byte > 1 {
                return Err(Fault::Number);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Fault::Number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.within.is_empty()
    }

    fn take(&mut self, length: u64) -> Result<Range<usize>, Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::EndsEarly)?;
        if length > self.within.len() {
            return Err(Fault::EndsEarly);
        }
        let start = self.within.start;
        self.within.start += length;
        Ok(start..self.within.start)
    }
}

/// Writes a field that is a number.
pub(super) fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3);
    varint(out, value);
}

/// Writes a field that is bytes.
pub(super) fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    start(out, field, value.len());
    out.extend_from_slice(value);
}

/// Begins a field of so many bytes.
pub(super) fn start(out: &mut Vec<u8>, field: u8, length: usize) {
    out.push(field << 3 | 2);
    varint(out, length as u64);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes a number takes.
pub(super) fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// How many bytes a field of so many bytes takes.
pub(super) fn bytes_bytes(length: usize) -> usize {
    1 + varint_bytes(length as u64) + length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u64>, Fault> {
        let mut fields = Fields::of(bytes, 0..bytes.len());
        let mut numbers = Vec::new();
        while let Some(field) = fields.next()? {
            numbers.push(field.number);
        }
        Ok(numbers)
    }

    #[test]
    fn numbers_are_read_as_written() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            u64::from(u32::MAX),
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            varint(&mut bytes, value);
            assert_eq!(bytes.len(), varint_bytes(value), "{value}");
            let mut fields = Fields::of(&bytes, 0..bytes.len());
            assert_eq!(fields.number(), Ok(value));
            assert!(fields.is_empty());
        }
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        assert_eq!(read(&[0x08]), Err(Fault::EndsEarly));
        assert_eq!(read(&[0x12, 2, 0]), Err(Fault::EndsEarly));
        assert_eq!(read(&[0x15, 0, 0, 0]), Err(Fault::EndsEarly));
        assert_eq!(read(&[0x11, 0, 0, 0, 0, 0, 0, 0]), Err(Fault::EndsEarly));
        assert_eq!(read(&[0x13]), Err(Fault::Field { number: 2 }));
        let most = [&[0x08], &[0xff; 9][..], &[1]].concat();
        assert_eq!(read(&most), Ok(vec![1]));
        let more = [&[0x08], &[0xff; 9][..], &[2]].concat();
        assert_eq!(read(&more), Err(Fault::Number));
        let huge = [&[0x12], &[0xff; 9][..], &[1]].concat();
        assert_eq!(read(&huge), Err(Fault::EndsEarly));
    }
}
