//! How much one caller may ask in a time. No clock: it is told.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// Counts what callers ask, each by itself: so much a second, and more at once after a pause.
#[derive(Debug)]
pub struct Rates<K> {
    per_second: f64,
    at_once: f64,
    callers_max: usize,
    callers: HashMap<K, Left>,
}

/// What a caller may ask at once.
#[derive(Clone, Copy, Debug)]
struct Left {
    requests: f64,
    at: Instant,
}

impl<K: Eq + Hash> Rates<K> {
    /// Lets each of at most `callers_max` callers make so many requests a second, and so many at once.
    pub fn new(per_second: u32, at_once: u32, callers_max: usize) -> Self {
        Self {
            per_second: per_second.into(),
            at_once: at_once.max(1).into(),
            callers_max: callers_max.max(1),
            callers: HashMap::new(),
        }
    }

    /// Notes a request of a caller, or refuses it.
    pub fn take(&mut self, caller: K, now: Instant) -> bool {
        if self.callers.len() >= self.callers_max && !self.callers.contains_key(&caller) {
            // Who could ask as much as anybody needn't be remembered.
            let (per_second, at_once) = (self.per_second, self.at_once);
            self.callers
                .retain(|_, left| left.then(now, per_second, at_once).requests < at_once);
            if self.callers.len() >= self.callers_max {
                return false;
            }
        }
        let full = Left {
            requests: self.at_once,
            at: now,
        };
        let left = self.callers.entry(caller).or_insert(full);
        *left = left.then(now, self.per_second, self.at_once);
        let is_let = left.requests >= 1.0;
        if is_let {
            left.requests -= 1.0;
        }
        is_let
    }
}

impl Left {
    fn then(self, now: Instant, per_second: f64, at_once: f64) -> Self {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        Self {
            requests: (self.requests + passed * per_second).min(at_once),
            at: now.max(self.at),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_caller_takes_nothing_from_another() {
        let (mut rates, now) = (Rates::new(10, 3, 8), Instant::now());
        let taken =
            |rates: &mut Rates<_>, who, now| (0..9).filter(|_| rates.take(who, now)).count();
        assert_eq!(taken(&mut rates, "a", now), 3);
        assert_eq!(taken(&mut rates, "b", now), 3);
        assert_eq!(taken(&mut rates, "a", now + Duration::from_millis(200)), 2);
        assert_eq!(taken(&mut rates, "a", now + Duration::from_secs(60)), 3);
    }

    #[test]
    fn strangers_make_nobody_forgotten_who_asked_much() {
        let (mut rates, now) = (Rates::new(1, 2, 2), Instant::now());
        assert!(rates.take(1, now) && rates.take(1, now) && !rates.take(1, now));
        assert!(rates.take(2, now));
        assert!(!rates.take(3, now));
        assert!(!rates.take(1, now));
        // Both could ask at once again what anybody can.
        assert!(rates.take(3, now + Duration::from_secs(2)));
        assert_eq!(rates.callers.len(), 1);
    }

    proptest! {
        /// However requests come, no more are let through than the rate and what may come at once.
        #[test]
        fn never_more_than_the_rate(steps in prop::collection::vec(0_u64..500, 1..200)) {
            let (mut rates, begin) = (Rates::new(10, 5, 4), Instant::now());
            let (mut at, mut taken) = (0, 0_u64);
            for step in steps {
                at += step;
                taken += u64::from(rates.take((), begin + Duration::from_millis(at)));
                prop_assert!(taken <= 5 + at / 100);
            }
        }
    }
}
