//! An effect that counts, and asks the drivers of time and randomness.

use std::cell::Cell;

use exports::acme::tally::tally::{Guest, GuestSum};
use homestar::driver::{clock, entropy};

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "homestar:tally/tally",
    generate_all,
});

struct Tally;

impl Guest for Tally {
    type Sum = Sum;

    fn next(number: u64) -> u64 {
        number + 1
    }

    fn length(bytes: Vec<u8>) -> u64 {
        bytes.len() as u64
    }

    fn now() -> u64 {
        clock::monotonic().expect("a clock that was granted")
    }

    fn draw() -> u64 {
        let bytes = entropy::bytes(8).expect("randomness that was granted");
        u64::from_le_bytes(bytes.try_into().expect("as many bytes as were asked for"))
    }
}

struct Sum(Cell<u64>);

impl GuestSum for Sum {
    fn new() -> Self {
        Self(Cell::new(0))
    }

    fn add(&self, number: u64) -> u64 {
        self.0.set(self.0.get() + number);
        self.0.get()
    }
}

export!(Tally);
