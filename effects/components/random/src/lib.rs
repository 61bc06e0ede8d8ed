//! The effect `homestar:random/random`: random values, made of the bytes that the driver gives.

use bindings::exports::homestar::random::random::Guest;
use bindings::homestar::random::types::Error;

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "homestar:driver/random-provider",
        generate_all,
    });

    #[cfg(target_family = "wasm")]
    export!(Effect with_types_in self);

    #[cfg(target_family = "wasm")]
    use super::Effect;
}

/// Most bytes that one call gives.
const BYTES_MAX: u32 = 16 * 1024 * 1024;

/// Most numbers that one call shuffles.
const SHUFFLE_MAX: u32 = 1_000_000;

/// How many bytes the driver is asked for at a time: the most that it gives.
const BLOCK_BYTES: u32 = 64 * 1024;

struct Effect;

impl Guest for Effect {
    fn bytes(length: u32) -> Result<Vec<u8>, Error> {
        bytes(length, entropy)
    }

    fn u64() -> Result<u64, Error> {
        array(entropy).map(u64::from_le_bytes)
    }

    fn range(start: i64, end: i64) -> Result<i64, Error> {
        range(start, end, entropy)
    }

    fn shuffle(length: u32) -> Result<Vec<u32>, Error> {
        shuffle(length, entropy)
    }

    fn uuid() -> Result<String, Error> {
        array(entropy).map(uuid)
    }
}

fn entropy(length: u32) -> Result<Vec<u8>, Error> {
    bindings::homestar::driver::entropy::bytes(length)
}

/// As many random bytes, drawn in blocks.
fn bytes(
    length: u32,
    mut entropy: impl FnMut(u32) -> Result<Vec<u8>, Error>,
) -> Result<Vec<u8>, Error> {
    if length > BYTES_MAX {
        return Err(Error::TooMany(BYTES_MAX));
    }
    let mut bytes = Vec::new();
    let mut left = length;
    while left > 0 {
        let block = left.min(BLOCK_BYTES);
        bytes.extend(entropy(block)?);
        left -= block;
    }
    Ok(bytes)
}

/// As many random bytes as an array has.
fn array<const N: usize>(
    mut entropy: impl FnMut(u32) -> Result<Vec<u8>, Error>,
) -> Result<[u8; N], Error> {
    let bytes = entropy(N as u32)?;
    Ok(bytes
        .try_into()
        .expect("the driver gives as many bytes as are asked for"))
}

/// A number from `start` up to but not including `end`, or `start` if there is none.
fn range(
    start: i64,
    end: i64,
    mut entropy: impl FnMut(u32) -> Result<Vec<u8>, Error>,
) -> Result<i64, Error> {
    if start >= end {
        return Ok(start);
    }
    // Right beyond `i64` too: the difference of two such numbers is a `u64`.
    let count = end.wrapping_sub(start) as u64;
    loop {
        let random = u64::from_le_bytes(array(&mut entropy)?);
        if let Some(below) = below(count, random) {
            return Ok(start.wrapping_add(below as i64));
        }
    }
}

/// A number below `count`, made of one of all `u64`s. Of those, the few that would make some
/// numbers likelier than others give none.
fn below(count: u64, random: u64) -> Option<u64> {
    let product = u128::from(random) * u128::from(count);
    let surplus = count.wrapping_neg() % count;
    (product as u64 >= surplus).then_some((product >> 64) as u64)
}

/// The numbers below `length` in random order, by Fisher and Yates.
fn shuffle(
    length: u32,
    entropy: impl FnMut(u32) -> Result<Vec<u8>, Error>,
) -> Result<Vec<u32>, Error> {
    if length > SHUFFLE_MAX {
        return Err(Error::TooMany(SHUFFLE_MAX));
    }
    let mut numbers: Vec<u32> = (0..length).collect();
    let mut source = Source {
        entropy,
        block: Vec::new(),
        used: 0,
    };
    for last in (1..length).rev() {
        let other = source.below(last + 1, last)?;
        numbers.swap(last as usize, other as usize);
    }
    Ok(numbers)
}

/// Random numbers, from bytes drawn in blocks.
struct Source<E> {
    entropy: E,
    block: Vec<u8>,
    used: usize,
}

impl<E: FnMut(u32) -> Result<Vec<u8>, Error>> Source<E> {
    /// A number below `count`. About `more` numbers will be asked for, this one included.
    fn below(&mut self, count: u32, more: u32) -> Result<u32, Error> {
        loop {
            let product = u64::from(self.next(more)?) * u64::from(count);
            // As in `below`, of 32 bits.
            if product as u32 >= count.wrapping_neg() % count {
                return Ok((product >> 32) as u32);
            }
        }
    }

    fn next(&mut self, more: u32) -> Result<u32, Error> {
        if self.used == self.block.len() {
            self.block = (self.entropy)(BLOCK_BYTES.min(more.saturating_mul(4)))?;
            self.used = 0;
        }
        let number = self.block[self.used..]
            .first_chunk()
            .expect("the driver gives as many bytes as are asked for");
        self.used += 4;
        Ok(u32::from_le_bytes(*number))
    }
}

/// A UUID of version 4 (RFC 9562, 5.4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    let (a, b, c) = (&digits[..8], &digits[8..12], &digits[12..16]);
    format!("{a}-{b}-{c}-{}-{}", &digits[16..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that look random, the same each time (SplitMix64).
    fn noise() -> impl FnMut(u32) -> Result<Vec<u8>, Error> {
        let mut state = 0_u64;
        let mut next = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z >> 56) as u8
        };
        move |length| Ok((0..length).map(|_| next()).collect())
    }

    #[test]
    fn numbers_lie_in_their_range() {
        let mut noise = noise();
        for (start, end) in [
            (0, 1),
            (-3, 4),
            (i64::MIN, i64::MAX),
            (i64::MAX - 1, i64::MAX),
            (i64::MIN, i64::MIN + 2),
        ] {
            for _ in 0..100 {
                let number = range(start, end, &mut noise).unwrap();
                assert!((start..end).contains(&number), "{number}");
            }
        }
    }

    #[test]
    fn an_empty_range_gives_its_start_and_draws_nothing() {
        for (start, end) in [(5, 5), (5, -5), (i64::MAX, i64::MIN)] {
            let number = range(start, end, |_| panic!("nothing is drawn"));
            assert_eq!(number.unwrap(), start);
        }
    }

    #[test]
    fn every_number_comes_from_as_many_random_ones() {
        // With 3 of 2^64, one random number is left over; it must give none.
        assert_eq!(below(3, 0), None);
        assert_eq!(below(3, 1), Some(0));
        assert_eq!(below(3, u64::MAX), Some(2));
        // With 2^63 + 1 nearly half are.
        let count = (1 << 63) + 1;
        let given = (0..1000_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let given = given
            .filter(|random| below(count, *random).is_some())
            .count();
        assert!((400..600).contains(&given), "{given}");
        // A power of two needs every one.
        assert_eq!(below(1 << 63, 0), Some(0));
        assert_eq!(below(1, u64::MAX), Some(0));
    }

    #[test]
    fn a_range_draws_again_if_it_must() {
        let mut draws = 0;
        let number = range(0, 3, |length| {
            draws += 1;
            Ok(vec![if draws == 1 { 0 } else { 0xff }; length as usize])
        });
        assert_eq!((number.unwrap(), draws), (2, 2));
    }

    #[test]
    fn numbers_in_a_small_range_are_equally_frequent() {
        let mut noise = noise();
        let mut counts = [0; 6];
        for _ in 0..6000 {
            counts[range(0, 6, &mut noise).unwrap() as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn every_order_of_a_shuffle_is_equally_frequent() {
        let mut noise = noise();
        let mut counts = std::collections::HashMap::new();
        for _ in 0..6000 {
            *counts.entry(shuffle(3, &mut noise).unwrap()).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn a_shuffle_has_every_number_once_and_draws_in_blocks() {
        for (length, most) in [(0, 0), (1, 0), (2, 1), (1000, 1), (1_000_000, 63)] {
            let mut noise = noise();
            let mut draws = 0;
            let mut numbers = shuffle(length, |bytes| {
                draws += 1;
                noise(bytes)
            })
            .unwrap();
            assert!(draws <= most, "{draws} draws for {length}");
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..length));
        }
    }

    #[test]
    fn bytes_are_drawn_in_blocks() {
        for (length, most) in [(0, 0), (1, 1), (65_536, 1), (65_537, 2), (BYTES_MAX, 256)] {
            let mut noise = noise();
            let mut draws = 0;
            let drawn = bytes(length, |block| {
                draws += 1;
                noise(block)
            });
            assert_eq!(drawn.unwrap().len(), length as usize);
            assert_eq!(draws, most);
        }
        let none = |_| panic!("nothing is drawn");
        assert!(matches!(bytes(BYTES_MAX + 1, none), Err(Error::TooMany(_))));
    }

    #[test]
    fn errors_of_the_driver_are_passed_on_and_limits_hold() {
        let denied = |_| Err(Error::Denied("no".into()));
        assert!(matches!(shuffle(3, denied), Err(Error::Denied(_))));
        assert!(matches!(range(0, 3, denied), Err(Error::Denied(_))));
        let none = |_| panic!("nothing is drawn");
        assert!(matches!(
            shuffle(1_000_001, none),
            Err(Error::TooMany(1_000_000))
        ));
    }

    #[test]
    fn uuids_say_their_version_and_variant() {
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let bytes = 0x919108f752d1332000e7d3a8b1f7a2c5_u128.to_be_bytes();
        assert_eq!(uuid(bytes), "919108f7-52d1-4320-80e7-d3a8b1f7a2c5");
    }
}
