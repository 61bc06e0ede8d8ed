//! Random values from the operating system, by `homestar:random`. They need `homestar run --allow random`.
//!
//! Those of crates such as `rand` are deterministic in a component, so that a task gives the same each time.

use crate::effect::{error, functions};

error! {
    /// Why there are none.
    {
        /// Not granted; the text says what would allow it.
        Denied(text: String) => "{text}",
        /// The task's budget is used up.
        Budget(text: String) => "{text}",
        /// More were asked for than one call gives.
        TooMany(most: u32) => "one call gives {most} at most",
    }
}

functions! {
    "random", crate::bindings::homestar::random::random {
        /// Returns random bytes, 16 MiB at most.
        fn bytes(length: u32) -> Result<Vec<u8>, Error>;
        /// Returns a random number.
        fn u64() -> Result<u64, Error>;
        /// Returns a random number with `start <= number < end`. An empty range gives `start`.
        fn range(start: i64, end: i64) -> Result<i64, Error>;
        /// Returns the numbers from 0 to `length - 1` in random order. A million at most.
        fn shuffle(length: u32) -> Result<Vec<u32>, Error>;
        /// Returns a random UUID of version 4.
        fn uuid() -> Result<String, Error>;
    }
}
