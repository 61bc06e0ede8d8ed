//! What is tried again, and when.

use std::time::Duration;

use crate::outcome::{Kind, Outcome};
use crate::receipt::Receipt;
use crate::workflow::Retry;

/// True if the failure in a receipt may be another one, or none, the next time.
///
/// That is so for what was unavailable and for the end of the time. It is so too for what the guest said itself, if
/// the outside had a part in it: a host that didn't answer reaches the receipt as the guest's own error. It is never
/// so where the instruction, a grant or a limit that is counted decided.
pub fn may_pass(receipt: &Receipt) -> bool {
    let heard = receipt.meta().trace.is_some();
    match receipt.outcome() {
        Outcome::Ok(_) => false,
        Outcome::Error(failure) => match failure.kind {
            Kind::Unavailable | Kind::Time => true,
            Kind::Guest | Kind::Exit | Kind::Trap => heard,
            _ => false,
        },
    }
}

/// How long to wait before the next time: twice as long each time, and by the seed up to half less.
pub(super) fn wait(retry: Retry, attempt: u32, seed: u64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(32);
    let longest = retry
        .backoff
        .saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX));
    let longest = longest.min(retry.max);
    let half = longest / 2;
    let share = mix(seed.wrapping_add(u64::from(attempt) << 32)) >> 32;
    let nanos = half.as_nanos().saturating_mul(u128::from(share)) >> 32;
    half + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// SplitMix64: spreads the bits of a seed.
fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_differ_by_seed() {
        let retry = Retry {
            times: 10,
            backoff: Duration::from_secs(1),
            max: Duration::from_secs(10),
        };
        for (attempt, longest) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (100, 10)] {
            let longest = Duration::from_secs(longest);
            for seed in 0..100 {
                let wait = wait(retry, attempt, seed);
                assert!(wait >= longest / 2 && wait <= longest, "{attempt} {wait:?}");
            }
        }
        assert_ne!(wait(retry, 1, 1), wait(retry, 1, 2));
        assert_eq!(wait(retry, 1, 1), wait(retry, 1, 1));
    }
}
