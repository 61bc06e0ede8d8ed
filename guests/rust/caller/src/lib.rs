//! Calls another component over and over.

use acme::tally::tally::{self, Sum};

wit_bindgen::generate!({ generate_all });

struct Caller;

impl Guest for Caller {
    fn count(times: u64) -> u64 {
        (0..times).fold(0, |number, _| tally::next(number))
    }

    fn lengths(times: u64) -> u64 {
        let bytes = [42; 1024];
        (0..times).map(|_| tally::length(&bytes)).sum()
    }

    fn sums(times: u64) -> u64 {
        let sum = Sum::new();
        (0..times).fold(0, |_, _| sum.add(1))
    }

    fn nows(times: u64) -> u64 {
        (0..times).fold(0, |_, _| tally::now())
    }

    fn draws(times: u64) -> u64 {
        (0..times).fold(0, |sum, _| tally::draw().wrapping_add(sum))
    }
}

export!(Caller);
